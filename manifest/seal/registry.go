package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Digest names bytes as a subject of Expect: "sha256:" and hex.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// RegistryStatement is the in-toto Statement v1 about a registry document: its
// subject is the digest of the document's bytes. A zero expires means never;
// times are written in UTC, in whole seconds. The error is a *Refusal.
func RegistryStatement(name string, document []byte, serial uint64, issued, expires time.Time) ([]byte, error) {
	predicate := map[string]any{"serial": serial, "issued": issued.UTC().Format(time.RFC3339)}
	if !expires.IsZero() {
		predicate["expires"] = expires.UTC().Format(time.RFC3339)
	}
	b, err := json.Marshal(map[string]any{
		"_type":         StatementType,
		"subject":       []any{map[string]any{"name": name, "digest": map[string]string{"sha256": Digest(document)[len("sha256:"):]}}},
		"predicateType": RegistryType,
		"predicate":     predicate,
	})
	if err != nil {
		return nil, err
	}
	_, err = ReadStatement(b, RegistryType) // what we would not read we do not write
	return b, err
}
