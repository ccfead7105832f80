package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// The files of a state directory.
const (
	keyFile    = "audit.key" // PKCS #8 in PEM, mode 0600
	publicFile = "audit.pub" // PKIX in PEM, what audit verify --key takes
	headsDir   = "heads"     // the last checkpoint of each log, see Head
)

// Key returns the Ed25519 key with which an installation signs checkpoints. It
// is made at first use, with its directory; both are private to the user, and
// a key that others may read is refused.
func Key(stateDir string) (ed25519.PrivateKey, error) {
	key, err := stateKey(stateDir)
	if err != nil {
		return nil, err
	}
	return key(), nil
}

// signer is a key that is computed from its seed when it is first used, which
// takes 2 ms: a log that goes on is opened without.
type signer func() ed25519.PrivateKey

func stateKey(stateDir string) (signer, error) {
	if stateDir == "" {
		return nil, errors.New("an audit log needs a state directory for its key")
	}
	path := filepath.Join(stateDir, keyFile)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	// Several shims may start at once: the first link wins, and all read it.
	if err := place(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if key, err = readKey(path); err != nil {
		return nil, err
	}
	if der, err = x509.MarshalPKIXPublicKey(key().Public()); err != nil {
		return nil, err
	}
	return key, place(filepath.Join(stateDir, publicFile), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), os.Rename)
}

// place writes a private file beside path and then puts it there whole.
func place(path string, content []byte, put func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".audit-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return put(f.Name(), path)
}

// pkcs8 stands before the seed of an Ed25519 key in its PKCS #8 form (RFC 8410,
// section 7).
var pkcs8 = []byte{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20}

func readKey(path string) (signer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || othersMayRead(info.Mode()) {
		return nil, fmt.Errorf("%s: others may read the key that signs audit logs (mode %v): chmod 600 it, or remove it for a new one", path, info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(content); block != nil {
		if seed, ok := bytes.CutPrefix(block.Bytes, pkcs8); ok && len(seed) == ed25519.SeedSize {
			return sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed) }), nil
		}
		// Another spelling of the same: with attributes, or with the public key.
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := key.(ed25519.PrivateKey); ok {
				return func() ed25519.PrivateKey { return key }, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: no Ed25519 key in PKCS #8 PEM: remove it for a new one", path)
}

// ParsePublicKey reads an Ed25519 public key in PKIX PEM, as Key leaves it in
// audit.pub.
func ParsePublicKey(content []byte) (ed25519.PublicKey, error) {
	if block, _ := pem.Decode(content); block != nil && block.Type == "PUBLIC KEY" {
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			if key, ok := key.(ed25519.PublicKey); ok {
				return key, nil
			}
		}
	}
	return nil, errors.New("no Ed25519 public key in PEM (BEGIN PUBLIC KEY)")
}
