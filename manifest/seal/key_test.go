package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

func pemOf(t *testing.T, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestLoadKey(t *testing.T) {
	ec := newKey(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pemOf(t, "PRIVATE KEY", der, err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	ecPEM := pemOf(t, "EC PRIVATE KEY", sec1, err)
	sealed, err := cryptoutils.MarshalPrivateKeyToEncryptedDER(ec, func(bool) ([]byte, error) { return []byte("pass"), nil })
	cosign := pemOf(t, "ENCRYPTED SIGSTORE PRIVATE KEY", sealed, err)
	public, err := x509.MarshalPKIXPublicKey(ec.Public())
	publicPEM := pemOf(t, "PUBLIC KEY", public, err)

	for _, c := range []struct {
		name, password string
		pem            []byte
		want           crypto.PublicKey // nil: refused
		says           string
	}{
		{"PKCS 8, ECDSA", "", pkcs8(ec), ec.Public(), ""},
		{"PKCS 8, Ed25519", "", pkcs8(ed), ed.Public(), ""},
		{"PKCS 8, RSA", "", pkcs8(rsaKey), rsaKey.Public(), ""},
		{"PKCS 1", "", pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil), rsaKey.Public(), ""},
		{"SEC 1", "", ecPEM, ec.Public(), ""},
		{"behind its parameters", "", append(pemOf(t, "EC PARAMETERS", []byte{6, 0}, nil), ecPEM...), ec.Public(), ""},
		{"cosign's", "pass", cosign, ec.Public(), ""},
		{"cosign's, wrong password", "word", cosign, nil, "password"},
		{"cosign's, no password", "", cosign, nil, "password"},
		{"P-384", "", pkcs8(p384), nil, "P-384"},
		{"a public key", "", publicPEM, nil, "private key is needed"},
		{"two keys", "", append(pkcs8(ed), pkcs8(ec)...), nil, "more than one"},
		{"a broken second key", "", append(pkcs8(ed), "-----BEGIN PRIVATE KEY-----"...), nil, "more than one"},
		{"no PEM", "", []byte("secret"), nil, "no PEM"},
		{"no key", "", pemOf(t, "PRIVATE KEY", []byte("secret"), nil), nil, "no private key"},
		{"too large", "", make([]byte, maxKey+1), nil, "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := LoadKey(c.pem, c.password)
			if c.want == nil {
				if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want one with %q", err, c.says)
				}
				if (c.says == "password") != errors.Is(err, ErrPassword) {
					t.Errorf("ErrPassword: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !c.want.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
				t.Error("another key")
			}
		})
	}

	if _, err := LoadPublicKey(publicPEM); err != nil {
		t.Error(err)
	}
	if _, err := LoadPublicKey(pkcs8(ec)); err == nil || !strings.Contains(err.Error(), "pubout") {
		t.Errorf("a private key in place of a public one: %v", err)
	}
	if err := checkKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}); err == nil {
		t.Error("RSA of 1024 bits is accepted")
	}
}
