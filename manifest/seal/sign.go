package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Signer is what signs and who vouches for it.
type Signer struct {
	// Key signs. It is what LoadKey returns, or the key of a KMS: anything
	// with these two methods. It is ECDSA P-256, Ed25519 or RSA from 2048
	// bits; nil makes a fresh key for a certificate.
	Key crypto.Signer
	// Token is an OpenID Connect identity token for which Services.CA issues
	// a certificate; "" signs with the key alone.
	Token string
	// Services are contacted, and no others.
	Services Services
	// Root, when there, must vouch for the finished bundle.
	Root *Root
}

// Services are the addresses of a Sigstore instance, each https or on this
// machine.
type Services struct {
	CA                   string // Fulcio
	Logs                 []Log
	TimestampAuthorities []string // RFC 3161, whole URLs
}

// Log is a transparency log: Rekor of API version 1 or 2.
type Log struct {
	URL     string
	Version uint32
}

// PublicGood is the instance that the Sigstore project runs for everybody.
// What is signed there is public: the identity and the digests, for ever.
func PublicGood() Services {
	return Services{
		CA:                   "https://fulcio.sigstore.dev",
		Logs:                 []Log{{"https://rekor.sigstore.dev", 1}},
		TimestampAuthorities: []string{"https://timestamp.sigstore.dev/api/v1/timestamp"},
	}
}

// LoadServices reads a Sigstore signing config v0.2 and chooses among its
// services those that are valid now.
func LoadServices(b []byte, now time.Time) (Services, error) {
	var s Services
	if len(b) > maxRoot {
		return s, fmt.Errorf("no signing config: more than %d bytes", maxRoot)
	}
	read, err := root.NewSigningConfigProtobuf(b)
	if err != nil {
		return s, fmt.Errorf("no signing config that this program reads: %w", err)
	}
	config, err := root.NewSigningConfigFromProtobuf(read)
	if err != nil {
		return s, fmt.Errorf("no signing config that this program reads: %w", err)
	}
	if len(read.GetCaUrls()) > 0 {
		ca, err := root.SelectService(config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
		if err != nil {
			return s, fmt.Errorf("signing config: certificate authority: %w", err)
		}
		s.CA = ca.URL
	}
	if len(read.GetRekorTlogUrls()) > 0 && read.GetRekorTlogConfig() != nil { // the library does not expect nil
		logs, err := root.SelectServices(config.RekorLogURLs(), config.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
		if err != nil {
			return s, fmt.Errorf("signing config: transparency log: %w", err)
		}
		for _, l := range logs {
			s.Logs = append(s.Logs, Log{l.URL, l.MajorAPIVersion})
		}
	}
	if len(read.GetTsaUrls()) > 0 && read.GetTsaConfig() != nil {
		authorities, err := root.SelectServices(config.TimestampAuthorityURLs(), config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
		if err != nil {
			return s, fmt.Errorf("signing config: timestamp authority: %w", err)
		}
		for _, a := range authorities {
			s.TimestampAuthorities = append(s.TimestampAuthorities, a.URL)
		}
	}
	return s, nil
}

// check refuses what could not be verified later, before anything is sent.
func (s *Signer) check() error {
	if s.Token == "" && s.Key == nil {
		return errors.New("neither a key nor an identity token to sign with")
	}
	if s.Token == "" && s.Services.CA != "" {
		return errors.New("the certificate authority needs an identity token")
	}
	if s.Token != "" && s.Services.CA == "" {
		return errors.New("an identity token needs a certificate authority (Fulcio) to go to")
	}
	if s.Key != nil {
		if err := checkKey(s.Key.Public()); err != nil {
			return err
		}
	}
	attested := len(s.Services.TimestampAuthorities) > 0
	for _, l := range s.Services.Logs {
		if l.Version != 1 && l.Version != 2 {
			return fmt.Errorf("a transparency log of version %d; there are 1 and 2", l.Version)
		}
		attested = attested || l.Version == 1 // version 2 gives no time
		if err := reachable(l.URL); err != nil {
			return err
		}
	}
	if s.Token != "" && !attested {
		return errors.New("a certificate lives for minutes: without a timestamp authority or a version 1 log nobody could verify it later")
	}
	for _, url := range append([]string{s.Services.CA}, s.Services.TimestampAuthorities...) {
		if url != "" {
			if err := reachable(url); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sign makes a bundle of a statement of the given predicate type. A statement
// that ReadStatement refuses is not signed; that error is a *Refusal.
func Sign(ctx context.Context, statement []byte, predicateType string, with Signer) ([]byte, error) {
	if _, err := ReadStatement(statement, predicateType); err != nil {
		return nil, err
	}
	if err := with.check(); err != nil {
		return nil, err
	}
	if with.Key == nil {
		fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		with.Key = fresh
	}
	key := keypair{with.Key}
	options := sign.BundleOptions{Context: ctx}
	transport := &guarded{ctx: ctx, base: http.DefaultTransport, limit: 4 << 20}
	if with.Token != "" {
		options.CertificateProvider = sign.NewFulcio(&sign.FulcioOptions{BaseURL: with.Services.CA, Retries: 1, Transport: transport})
		options.CertificateProviderOptions = &sign.CertificateProviderOptions{IDToken: with.Token}
	}
	for _, url := range with.Services.TimestampAuthorities {
		options.TimestampAuthorities = append(options.TimestampAuthorities,
			sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: url, Retries: 1, Transport: transport}))
	}
	for _, l := range with.Services.Logs {
		options.TransparencyLogs = append(options.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{BaseURL: l.URL, Version: l.Version, Retries: 1}))
	}
	if with.Root != nil {
		material, err := with.material(with.Root.material)
		if err != nil {
			return nil, err
		}
		options.TrustedRoot = material
	}
	made, err := sign.Bundle(&sign.DSSEData{Data: statement, PayloadType: PayloadType}, key, options)
	if err != nil {
		return nil, masked(err, with.Token)
	}
	whole, err := bundle.NewBundle(made)
	if err != nil {
		return nil, err
	}
	if err := with.finished(whole); err != nil {
		return nil, err
	}
	b, err := whole.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer // the library varies its white space on purpose
	if err := json.Compact(&plain, b); err != nil {
		return nil, err
	}
	plain.WriteByte('\n')
	if plain.Len() > MaxBundle {
		return nil, refuse(TooLarge, "", "the bundle would have %d bytes, more than %d", plain.Len(), MaxBundle)
	}
	return plain.Bytes(), nil
}

// material is a trusted root with the signer's own key.
func (s *Signer) material(trusted root.TrustedMaterial) (root.TrustedMaterial, error) {
	v, err := signature.LoadVerifier(s.Key.Public(), crypto.SHA256)
	return keyMaterial{trusted, always{v}}, err
}

// finished checks that the certificate which came back is one for the key that
// signed, and that a key of a KMS did what it was asked to.
func (s *Signer) finished(made *bundle.Bundle) error {
	material, err := s.material(&root.BaseTrustedMaterial{})
	if err != nil {
		return err
	}
	signed, err := made.SignatureContent()
	if err != nil {
		return err
	}
	content, err := made.VerificationContent()
	if err != nil {
		return err
	}
	if err := verify.VerifySignature(signed, content, material); err != nil {
		return fmt.Errorf("the finished signature does not verify: %w", err)
	}
	return nil
}

// keypair shows a crypto.Signer to the library.
type keypair struct{ crypto.Signer }

func (k keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

func (k keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	switch k.Public().(type) {
	case *rsa.PublicKey:
		return protocommon.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256
	case ed25519.PublicKey:
		return protocommon.PublicKeyDetails_PKIX_ED25519
	}
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

// GetHint is the key's digest in base64, as cosign writes it. Verify does not
// believe it.
func (k keypair) GetHint() []byte {
	sum, err := fingerprint(k.Public())
	if err != nil {
		return nil
	}
	return []byte(base64.StdEncoding.EncodeToString(sum))
}

func (k keypair) GetKeyAlgorithm() string {
	switch k.Public().(type) {
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return "ECDSA"
}

func (k keypair) GetPublicKey() crypto.PublicKey { return k.Public() }

func (k keypair) GetPublicKeyPem() (string, error) {
	b, err := cryptoutils.MarshalPublicKeyToPEM(k.Public())
	return string(b), err
}

func (k keypair) SignData(_ context.Context, data []byte) (sig, digest []byte, err error) {
	sum := sha256.Sum256(data)
	if _, ok := k.Public().(ed25519.PublicKey); ok {
		sig, err = k.Sign(rand.Reader, data, crypto.Hash(0))
		return sig, data, err
	}
	sig, err = k.Sign(rand.Reader, sum[:], crypto.SHA256)
	return sig, sum[:], err
}
