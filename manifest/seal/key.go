package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// maxKey bounds a key file, in bytes.
const maxKey = 64 << 10

// ErrPassword is in the chain of LoadKey's error when the key is encrypted and
// the password does not open it.
var ErrPassword = errors.New("the key is encrypted and the password does not open it")

// LoadKey reads a private key in PEM: PKCS #8, SEC 1 or PKCS #1, encrypted or
// not, and the encrypted keys of cosign. The password is used for encrypted
// keys only.
func LoadKey(b []byte, password string) (crypto.Signer, error) {
	block, err := onePEM(b)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("a private key is needed, and this is a %q", shown(block.Type))
	}
	encrypted := strings.HasPrefix(block.Type, "ENCRYPTED ") || block.Headers["DEK-Info"] != ""
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(pem.EncodeToMemory(block), func(bool) ([]byte, error) { return []byte(password), nil })
	if err != nil && encrypted {
		return nil, ErrPassword // the library's error may quote what it decrypted
	}
	if err != nil {
		return nil, fmt.Errorf("no private key that this program reads: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign", key)
	}
	return signer, checkKey(signer.Public())
}

// LoadPublicKey reads a public key in PEM.
func LoadPublicKey(b []byte) (crypto.PublicKey, error) {
	block, err := onePEM(b)
	if err != nil {
		return nil, err
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, errors.New("this is a private key; a signature is checked with the public one (openssl pkey -in KEY.pem -pubout -out PUB.pem)")
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pem.EncodeToMemory(block))
	if err != nil {
		return nil, fmt.Errorf("no public key that this program reads: %w", err)
	}
	return key, checkKey(key)
}

// onePEM is the only block of a file, so that nobody has to guess which counts.
func onePEM(b []byte) (*pem.Block, error) {
	if len(b) > maxKey {
		return nil, fmt.Errorf("no key: more than %d bytes", maxKey)
	}
	block, rest := pem.Decode(b)
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes them first
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no PEM block is in it")
	}
	if second, _ := pem.Decode(rest); second != nil || bytes.Contains(rest, []byte("-----BEGIN")) {
		return nil, errors.New("more than one PEM block is in it")
	}
	return block, nil
}

// checkKey holds the kinds of key that are signed with: ECDSA P-256, Ed25519
// and RSA from 2048 bits.
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return nil
		}
		return fmt.Errorf("an ECDSA key on %s; use P-256, Ed25519 or RSA of at least 2048 bits", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 8192 {
			return fmt.Errorf("an RSA key of %d bits; it takes 2048 to 8192", bits)
		}
		return nil
	}
	return fmt.Errorf("a key of type %T; use ECDSA P-256, Ed25519 or RSA of at least 2048 bits", key)
}

// KeyID names a public key: "sha256:" and the digest of its PKIX form in hex.
func KeyID(key crypto.PublicKey) (string, error) {
	sum, err := fingerprint(key)
	if err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

func fingerprint(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:], nil
}
