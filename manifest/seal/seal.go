// Package seal signs statements about servers and checks their signatures. A
// sealed manifest is an in-toto Statement v1 in a DSSE envelope in a Sigstore
// bundle v0.3, so that every Sigstore client can check it, too.
//
// Verification never opens a connection: what it trusts is a public key, or a
// trusted root together with an identity and its issuer. Signing opens one only
// to the services that it is given, attaching and fetching only to the registry
// of the image. The package reads no file, no environment and no clock.
package seal

import (
	"fmt"

	"github.com/sallyport-mcp/sallyport/manifest"
)

const (
	// PayloadType is the DSSE payload type of in-toto statements.
	PayloadType = "application/vnd.in-toto+json"
	// StatementType is the _type of an in-toto Statement v1.
	StatementType = manifest.StatementType
	// ManifestType is the predicate type of a manifest. It is an identifier;
	// nothing is fetched from there.
	ManifestType = manifest.PredicateType
	// RegistryType is the predicate type of a signed registry document.
	RegistryType = "https://sallyport.dev/registry/v1"
	// MediaType is the media type of a bundle.
	MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// MaxBundle bounds a bundle, in bytes. The statement inside is a quarter
// smaller.
const MaxBundle = 16 << 20

// Reason says which rule a refused bundle breaks.
type Reason string

const (
	Malformed      Reason = "malformed"       // no bundle, or no statement in it
	TooLarge       Reason = "too large"       // beyond MaxBundle
	Payload        Reason = "payload"         // not exactly one in-toto payload with one signature
	Predicate      Reason = "predicate"       // a statement about something else
	Signature      Reason = "signature"       // the content or the signature was changed, or another key signed
	SignerKind     Reason = "signer"          // signed by a key where a certificate is wanted, or the other way round
	Certificate    Reason = "certificate"     // not from the trusted root, or not valid when it signed
	Identity       Reason = "identity"        // somebody else signed
	Issuer         Reason = "issuer"          // somebody else vouches for who signed
	LogEntry       Reason = "log"             // no log entry, or that of another bundle
	Timestamp      Reason = "timestamp"       // no time that the trusted root vouches for
	CertificateLog Reason = "certificate log" // the certificate was never logged
	Subject        Reason = "subject"         // about another server than the expected one
	Expired        Reason = "expired"
	NotYet         Reason = "not yet valid" // issued in the future
	Rollback       Reason = "rollback"      // older than one accepted already
)

// Refusal is the error for a bundle or a statement that is not accepted.
type Refusal struct {
	Reason Reason
	Detail string // one sentence: what is wrong, and with which value
	Hint   string // what a person can do, "" where there is nothing to add
	err    error
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Detail) }
func (r *Refusal) Unwrap() error { return r.err }

func refuse(reason Reason, hint, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Hint: hint, Detail: fmt.Sprintf(format, args...)}
}

// because keeps the library's own error behind a refusal.
func (r *Refusal) because(err error) *Refusal {
	r.err = err
	return r
}
