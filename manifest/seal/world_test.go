package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// world is a Sigstore without servers: the log and the timestamp authority of
// sigstore-go's test CA, and a certificate authority and a certificate log of
// our own, because its certificates begin now and carry no SCT.
type world struct {
	*ca.VirtualSigstore
	key     *ecdsa.PrivateKey
	root    *x509.Certificate
	logKey  *ecdsa.PrivateKey
	noCTLog bool
	noLog   bool
	noTSA   bool
}

const (
	workflow = "https://github.com/acme/server/.github/workflows/release.yml@refs/tags/v1"
	actions  = "https://token.actions.githubusercontent.com"
)

var theWorld = sync.OnceValues(func() (*world, error) {
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		return nil, err
	}
	w := &world{VirtualSigstore: virtual}
	if w.logKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	return w, w.found()
})

// found makes the certificate authority.
func (w *world) found() (err error) {
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, w.key.Public(), w.key)
	if err != nil {
		return err
	}
	w.root, err = x509.ParseCertificate(der)
	return err
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w, err := theWorld()
	if err != nil {
		t.Fatal(err)
	}
	own := *w
	return &own
}

func (w *world) FulcioCertificateAuthorities() []root.CertificateAuthority {
	return []root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: w.root, ValidityPeriodStart: w.root.NotBefore}}
}

func (w *world) CTLogs() map[string]*root.TransparencyLog {
	if w.noCTLog {
		return nil
	}
	id := w.logID()
	return map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
		ID: id[:], PublicKey: w.logKey.Public(), HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, ValidityPeriodStart: w.root.NotBefore,
	}}
}

func (w *world) RekorLogs() map[string]*root.TransparencyLog {
	if w.noLog {
		return nil
	}
	return w.VirtualSigstore.RekorLogs()
}

func (w *world) TimestampingAuthorities() []root.TimestampingAuthority {
	if w.noTSA {
		return nil
	}
	return w.VirtualSigstore.TimestampingAuthorities()
}

func (w *world) logID() [32]byte {
	der, err := x509.MarshalPKIXPublicKey(w.logKey.Public())
	if err != nil {
		panic(err)
	}
	return sha256.Sum256(der)
}

// forgery is what to sign and how; the zero value of each member is the honest
// one.
type forgery struct {
	statement        []byte
	payloadType      string
	identity, issuer string
	begins           time.Time // of the certificate
	integrated       time.Time
	noSCT            bool
}

// sign makes a bundle with a certificate, a log entry and a timestamp.
func (w *world) sign(t testing.TB, f forgery) *protobundle.Bundle {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := w.certificate(t, f, key.Public())
	payloadType := or(f.payloadType, PayloadType)
	statement := f.statement
	if statement == nil {
		statement = aStatement()
	}
	signature := signPAE(t, key, payloadType, statement)
	made := &protobundle.Bundle{
		MediaType: MediaType,
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}},
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: statement, PayloadType: payloadType, Signatures: []*protodsse.Signature{{Sig: signature}},
		}},
	}
	read, err := bundle.NewBundle(made)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := read.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if f.integrated.IsZero() {
		f.integrated = time.Now()
	}
	entry, err := w.GenerateTlogEntry(leaf, envelope.RawEnvelope(), signature, f.integrated.Unix(), true)
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := w.TimestampResponse(signature)
	if err != nil {
		t.Fatal(err)
	}
	made.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{w.finish(t, entry.TransparencyLogEntry())}
	made.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}},
	}
	return made
}

// finish adds what the test CA leaves out of an entry: its kind and the log's
// promise, which attests the time.
func (w *world) finish(t testing.TB, entry *protorekor.TransparencyLogEntry) *protorekor.TransparencyLogEntry {
	t.Helper()
	promise, err := w.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(entry.CanonicalizedBody), IntegratedTime: entry.IntegratedTime,
		LogIndex: entry.LogIndex, LogID: hex.EncodeToString(entry.LogId.KeyId),
	})
	if err != nil {
		t.Fatal(err)
	}
	entry.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return entry
}

// certificate issues one as Fulcio does, with an SCT (RFC 6962, 3.2 and 3.3).
func (w *world) certificate(t testing.TB, f forgery, key crypto.PublicKey) *x509.Certificate {
	t.Helper()
	san, err := url.Parse(or(f.identity, workflow))
	if err != nil {
		t.Fatal(err)
	}
	if f.begins.IsZero() {
		f.begins = time.Now().Add(-time.Minute)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), URIs: []*url.URL{san}, NotBefore: f.begins, NotAfter: f.begins.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(or(f.issuer, actions))}},
	}
	issue := func() *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, w.root, key, w.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	plain := issue()
	if f.noSCT {
		return plain
	}
	issuer := sha256.Sum256(w.root.RawSubjectPublicKeyInfo)
	id := w.logID()
	now := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMilli()))
	signed := append([]byte{0, 0}, now...) // v1, certificate_timestamp
	signed = append(signed, 0, 1)          // precert_entry
	signed = append(signed, issuer[:]...)
	n := len(plain.RawTBSCertificate)
	signed = append(signed, byte(n>>16), byte(n>>8), byte(n))
	signed = append(signed, plain.RawTBSCertificate...)
	signed = append(signed, 0, 0) // no extensions
	sum := sha256.Sum256(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, w.logKey, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sct := append([]byte{0}, id[:]...)
	sct = append(sct, now...)
	sct = append(sct, 0, 0, 4, 3) // no extensions; SHA-256, ECDSA
	sct = append(binary.BigEndian.AppendUint16(sct, uint16(len(signature))), signature...)
	list := append(binary.BigEndian.AppendUint16(nil, uint16(len(sct)+2)), binary.BigEndian.AppendUint16(nil, uint16(len(sct)))...)
	value, err := asn1.Marshal(append(list, sct...))
	if err != nil {
		t.Fatal(err)
	}
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value})
	return issue()
}

func signPAE(t testing.TB, key *ecdsa.PrivateKey, payloadType string, payload []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// encode writes a bundle without asking whether it is a good one.
func encode(t testing.TB, b *protobundle.Bundle) []byte {
	t.Helper()
	out, err := (&bundle.Bundle{Bundle: b}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	aPurl   = "pkg:npm/acme@1.0.0"
	aDigest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

var (
	issued  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	expires = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	now     = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
)

func aStatement() []byte {
	return fmt.Appendf(nil, `{"_type":%q,"subject":[{"name":%q,"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{"serial":7,"issued":"2026-01-02T03:04:05Z","expires":"2027-01-02T03:04:05Z","server":{}}}`,
		StatementType, aPurl, aDigest, ManifestType)
}
