package seal

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// maxRoot bounds a trusted root, in bytes.
const maxRoot = 8 << 20

// Policy says whom to believe: Key, or Root with Identity and Issuer. Key and
// Root together want a signature by the key that the root's logs and timestamp
// authorities have seen.
//
// What the root lists is required: an entry in one of its transparency logs, a
// certificate that one of its certificate logs has seen. A time is always
// required of a certificate, from a log or from a timestamp authority.
type Policy struct {
	Key      crypto.PublicKey
	Root     *Root
	Identity string // regular expression that has to match the whole subject alternative name
	Issuer   string // URL of the OpenID Connect issuer, exactly

	InsecureIgnoreLog bool // accept a signature that no transparency log holds
	InsecureIgnoreSCT bool // accept a certificate that no certificate log has promised to hold
}

// Root is a Sigstore trusted root: certificate authorities, logs, timestamp
// authorities.
type Root struct{ material root.TrustedMaterial }

// LoadRoot reads a trusted root in JSON, as cosign and Sigstore's TUF
// repositories write it.
func LoadRoot(b []byte) (*Root, error) {
	if len(b) > maxRoot {
		return nil, fmt.Errorf("no trusted root: more than %d bytes", maxRoot)
	}
	r, err := root.NewTrustedRootFromJSON(b)
	if err != nil {
		return nil, fmt.Errorf("no trusted root that this program reads: %w", err)
	}
	return &Root{r}, nil
}

// Expect is what a verified statement has to say.
type Expect struct {
	PredicateType string    // "": ManifestType
	Subjects      []string  // each a digest ("sha256:" and hex) or a name such as a purl; all must be among the statement's
	MinSerial     uint64    // the serial of the last one accepted
	Now           time.Time // the time against which it expires; zero refuses
}

// Result is a bundle that was accepted.
type Result struct {
	Statement *Statement
	KeyID     string    // of the key in the policy, "" for a certificate
	Identity  string    // the certificate's subject alternative name
	Issuer    string    // and its issuer
	Time      time.Time // the earliest attested time of the signature; zero: none is
	Checked   []string  // what vouches for it, in words
}

// Verifier is a policy made ready. It may be used by several goroutines.
type Verifier struct {
	key      crypto.PublicKey
	keyID    string
	hint     string
	material root.TrustedMaterial
	verifier *verify.Verifier
	rules    verify.PolicyOption
	issuer   string
	identity string
	sct      bool
	checked  []string
}

// skew is how far the clocks of two machines may be apart.
const skew = 5 * time.Minute

// NewVerifier checks that the policy is whole: a policy that would accept
// anybody is an error.
func NewVerifier(p Policy) (*Verifier, error) {
	v := &Verifier{issuer: p.Issuer, identity: p.Identity}
	var options []verify.VerifierOption
	switch {
	case p.Key != nil && (p.Identity != "" || p.Issuer != ""):
		return nil, errors.New("a key has no identity and no issuer: give one or the other")
	case p.Key != nil:
		if err := v.withKey(p.Key); err != nil {
			return nil, err
		}
	case p.Root == nil:
		return nil, errors.New("a public key, or a trusted root with identity and issuer, is needed")
	case p.Identity == "" || p.Issuer == "":
		return nil, errors.New("a trusted root alone accepts everybody: identity and issuer are needed, too")
	default:
		if err := v.withIdentity(p.Identity, p.Issuer); err != nil {
			return nil, err
		}
	}
	if p.Root != nil {
		options = v.withRoot(p)
	} else {
		if p.InsecureIgnoreLog || p.InsecureIgnoreSCT {
			return nil, errors.New("without a trusted root no log is asked, so there is none to ignore")
		}
		options = append(options, verify.WithNoObserverTimestamps())
	}
	var err error
	v.verifier, err = verify.NewVerifier(v.material, append(options, verify.WithoutStatementPredicate())...)
	return v, err
}

func (v *Verifier) withKey(key crypto.PublicKey) error {
	err := checkKey(key)
	if err != nil {
		return err
	}
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return err
	}
	sum, err := fingerprint(key)
	if err != nil {
		return err
	}
	v.key, v.hint, v.checked = key, base64.StdEncoding.EncodeToString(sum), []string{"public key"}
	v.keyID, err = KeyID(key)
	v.material = keyMaterial{&root.BaseTrustedMaterial{}, always{verifier}}
	v.rules = verify.WithKey()
	return err
}

// withIdentity anchors the expression: an unanchored one would also accept
// whoever registers a name that contains the wanted one.
func (v *Verifier) withIdentity(identity, issuer string) error {
	if _, err := regexp.Compile(identity); err != nil { // alone first: "a)|(b" must not get out of the brackets
		return fmt.Errorf("the identity is no regular expression: %w", err)
	}
	whole := `\A(?:` + identity + `)\z`
	anchored, err := regexp.Compile(whole)
	if err != nil {
		return fmt.Errorf("the identity is no regular expression that can be anchored: %w", err)
	}
	if anchored.MatchString("") || anchored.MatchString("anybody at all") {
		return fmt.Errorf("the identity %q accepts everybody; write down whom you expect", identity)
	}
	id, err := verify.NewShortCertificateIdentity(issuer, "", "", whole)
	if err != nil {
		return fmt.Errorf("the identity is no regular expression: %w", err)
	}
	v.rules = verify.WithCertificateIdentity(id)
	v.checked = []string{"certificate", "identity", "issuer"}
	return nil
}

// withRoot makes required what the root offers.
func (v *Verifier) withRoot(p Policy) []verify.VerifierOption {
	material := p.Root.material
	var options []verify.VerifierOption
	logged := len(material.RekorLogs()) > 0 && !p.InsecureIgnoreLog
	if logged {
		options = append(options, verify.WithTransparencyLog(1))
		v.checked = append(v.checked, "transparency log")
	}
	if p.Key == nil || len(material.TimestampingAuthorities()) > 0 {
		options = append(options, verify.WithObserverTimestamps(1))
		v.checked = append(v.checked, "timestamp")
	} else {
		options = append(options, verify.WithNoObserverTimestamps())
	}
	if p.Key == nil && len(material.CTLogs()) > 0 && !p.InsecureIgnoreSCT {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
		v.sct = true
		v.checked = append(v.checked, "certificate log")
	}
	if p.Key != nil {
		material = keyMaterial{material, v.material.(keyMaterial).verifier}
	} else {
		material = keyMaterial{TrustedMaterial: material} // keys that a root may carry are nobody's identity
	}
	v.material = material
	return options
}

// Verify checks a bundle offline: the signature under the policy first, then
// what the statement says. The error is a *Refusal.
func (v *Verifier) Verify(b []byte, want Expect) (*Result, error) {
	entity, payload, err := open(b)
	if err != nil {
		return nil, err
	}
	content, err := entity.VerificationContent()
	if err != nil {
		return nil, refuse(Malformed, "", "the bundle's certificate cannot be read").because(err)
	}
	switch {
	case v.key != nil && content.Certificate() != nil:
		return nil, refuse(SignerKind, "verify it with --trusted-root, --identity and --issuer", "a certificate signed it, and a key is expected")
	case v.key == nil && content.Certificate() == nil:
		return nil, refuse(SignerKind, "verify it with --key", "a key signed it, and a certificate is expected")
	}
	checked, err := v.verifier.Verify(entity, verify.NewPolicy(verify.WithoutArtifactUnsafe(), v.rules)) // the subjects are compared below
	if err != nil {
		return nil, v.diagnose(entity, content, err)
	}
	// Only now is the payload read: nobody unknown gets to the parser.
	if want.PredicateType == "" {
		want.PredicateType = ManifestType
	}
	statement, err := ReadStatement(payload, want.PredicateType)
	if err != nil {
		return nil, err
	}
	if err := statement.meets(want); err != nil {
		return nil, err
	}
	result := &Result{Statement: statement, KeyID: v.keyID, Checked: v.checked}
	if c := checked.Signature.Certificate; c != nil {
		result.Identity, result.Issuer = c.SubjectAlternativeName, c.Issuer
	}
	for _, t := range checked.VerifiedTimestamps {
		if result.Time.IsZero() || t.Timestamp.Before(result.Time) {
			result.Time = t.Timestamp.UTC()
		}
	}
	return result, nil
}

// meets compares the statement with what is expected of it.
func (s *Statement) meets(want Expect) error {
	for _, subject := range want.Subjects {
		if !s.About(subject) {
			return refuse(Subject, "is it the manifest of another server or of another version?", "none of its %d subjects is %s", len(s.Subjects), shown(subject))
		}
	}
	if want.Now.IsZero() {
		return refuse(Expired, "", "no time was given to compare with")
	}
	if s.Issued.After(want.Now.Add(skew)) {
		return refuse(NotYet, "is this machine's clock right?", "it was issued at %s, and now is %s", s.Issued.Format(time.RFC3339), want.Now.UTC().Format(time.RFC3339))
	}
	if !s.Expires.IsZero() && !want.Now.Before(s.Expires) {
		return refuse(Expired, "ask its signer for a new one", "it expired at %s", s.Expires.Format(time.RFC3339))
	}
	if s.Serial < want.MinSerial {
		return refuse(Rollback, "take the newer one; somebody may be putting an old one back", "its serial is %d, and %d was accepted before", s.Serial, want.MinSerial)
	}
	return nil
}

// Read opens a bundle WITHOUT checking any signature, to show or to carry what
// is inside. The error is a *Refusal.
func Read(b []byte, predicateType string) (*Statement, error) {
	_, payload, err := open(b)
	if err != nil {
		return nil, err
	}
	return ReadStatement(payload, predicateType)
}

// open reads a bundle and holds its shape: version 0.3, one DSSE envelope with
// one signature over one in-toto statement.
func open(b []byte) (*bundle.Bundle, []byte, error) {
	if len(b) > MaxBundle {
		return nil, nil, refuse(TooLarge, "", "the bundle has %d bytes, more than %d", len(b), MaxBundle)
	}
	if err := shallow(b); err != nil {
		return nil, nil, err
	}
	var entity bundle.Bundle
	if err := entity.UnmarshalJSON(b); err != nil {
		return nil, nil, refuse(Malformed, "is the file whole, and a Sigstore bundle (*.sigstore.json)?", "not a Sigstore bundle: %s", shown(plainly(err))).because(err)
	}
	if version, err := entity.Version(); err != nil || version != "v0.3" {
		return nil, nil, refuse(Malformed, "sign it again with a current Sigstore client", "the bundle's version is %s, and only v0.3 is read", shown(version)).because(err)
	}
	envelope := entity.GetDsseEnvelope()
	if envelope == nil {
		return nil, nil, refuse(Payload, "sign it as an attestation (cosign attest-blob), not as a file (cosign sign-blob)", "the bundle signs a file, not a statement")
	}
	if envelope.PayloadType != PayloadType {
		return nil, nil, refuse(Payload, "", "the payload type is %q, not %q", shown(envelope.PayloadType), PayloadType)
	}
	if n := len(envelope.Signatures); n != 1 {
		return nil, nil, refuse(Payload, "", "%d signatures are in it, and exactly one is needed", n)
	}
	return &entity, envelope.Payload, nil
}

// maxNesting is far beyond what a bundle needs.
const maxNesting = 64

// shallow refuses JSON that is nested deeply before a recursive parser sees it.
func shallow(b []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
			next := bytes.IndexAny(b[i:], `"\`)
			if next < 0 {
				return nil // the parser says it better
			}
			i += next - 1
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return refuse(Malformed, "", "not a Sigstore bundle: values are nested deeper than %d", maxNesting)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// diagnose finds the step at which a bundle failed, signature first: a changed
// payload also fails at the log, and that would send people the wrong way.
func (v *Verifier) diagnose(entity *bundle.Bundle, content verify.VerificationContent, cause error) error {
	signed, err := entity.SignatureContent()
	if err != nil {
		return refuse(Malformed, "", "the envelope cannot be read").because(err)
	}
	if err := verify.VerifySignature(signed, content, v.material); err != nil {
		r := refuse(Signature, "the content or the signature was changed after signing", "the signature does not fit the content and the certificate in the bundle")
		if v.key != nil {
			r = refuse(Signature, "another key signed, or the content was changed after signing", "the signature does not fit the content and the key %s", v.keyID)
			if hint := content.PublicKey().Hint(); hint != "" && hint != v.hint {
				r.Hint += fmt.Sprintf("; the bundle itself names the key %q", shown(hint))
			}
		}
		return r.because(err)
	}
	logged, err := v.verifier.VerifyTransparencyLogInclusion(entity)
	if err != nil {
		return refuse(LogEntry, "the log entry belongs to another signature, or to a log that the trusted root does not list; for a private instance without a log: --insecure-ignore-tlog", "no log of the trusted root holds this signature: %s", shown(plainly(err))).because(err)
	}
	times, err := v.verifier.VerifyObserverTimestamps(entity, logged)
	if err != nil {
		return refuse(Timestamp, "sign again with a timestamp authority that the trusted root lists", "nobody in the trusted root vouches for when it was signed: %s", shown(plainly(err))).because(err)
	}
	leaf := content.Certificate()
	if leaf == nil {
		return refuse(Signature, "", "%s", shown(plainly(cause))).because(cause)
	}
	var chains [][]*x509.Certificate
	for _, t := range times {
		if chains, err = verify.VerifyLeafCertificate(t.Timestamp, leaf, v.material); err != nil {
			return refuse(Certificate, "another authority issued it, or it was not valid then", "the certificate (%s to %s) does not lead to the trusted root at %s, when it signed",
				leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339), t.Timestamp.UTC().Format(time.RFC3339)).because(err)
		}
	}
	if v.sct {
		if err := verify.VerifySignedCertificateTimestamp(chains, 1, v.material); err != nil {
			return refuse(CertificateLog, "for a private instance without certificate logs: --insecure-ignore-sct", "no certificate log of the trusted root has seen the certificate: %s", shown(plainly(err))).because(err)
		}
	}
	if who, err := certificate.SummarizeCertificate(leaf); err == nil {
		if who.Issuer != v.issuer {
			return refuse(Issuer, "", "%s vouches for the signer, not %s", shown(who.Issuer), v.issuer).because(cause)
		}
		return refuse(Identity, "the expression has to match the whole identity", "%s signed it, and %s is expected", shown(who.SubjectAlternativeName), v.identity).because(cause)
	}
	return refuse(Certificate, "", "%s", shown(plainly(cause))).because(cause)
}

// keyMaterial is a trusted root whose only key is the one of the policy,
// whatever key the bundle names.
type keyMaterial struct {
	root.TrustedMaterial
	verifier always
}

func (m keyMaterial) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	if m.verifier.Verifier == nil {
		return nil, errors.New("no key is trusted")
	}
	return m.verifier, nil
}

// always is a key without a period of validity.
type always struct{ signature.Verifier }

func (always) ValidAtTime(time.Time) bool { return true }

// plainly is a library's error on one line. protobuf varies its white space on
// purpose.
func plainly(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "proto:")), " ")
}
