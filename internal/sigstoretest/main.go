// Command sigstoretest serves on this machine what .ci/sigstore.sh needs beside
// Sigstore's own services: an OpenID Connect issuer that gives everybody a
// token, the token endpoint of a workflow's runner, and two registries, with
// the referrers API and without. It is for tests alone.
//
// usage: sigstoretest ISSUER REFERRERS PLAIN (addresses to listen on)
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: sigstoretest ISSUER REFERRERS PLAIN")
	}
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	go func() {
		log.Fatal(http.ListenAndServe(os.Args[2], registry.New(quiet, registry.WithReferrersSupport(true))))
	}()
	go func() { log.Fatal(http.ListenAndServe(os.Args[3], registry.New(quiet))) }()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], issuer("http://"+os.Args[1], key)))
}

func issuer(url string, key *rsa.PrivateKey) http.Handler {
	encode := base64.RawURLEncoding.EncodeToString
	token := func() (string, error) {
		now := time.Now()
		claims, err := json.Marshal(map[string]any{"iss": url, "aud": "sigstore", "sub": "1", "email": "dev@example.test", "email_verified": true,
			"iat": now.Unix(), "nbf": now.Unix() - 5, "exp": now.Add(10 * time.Minute).Unix()})
		if err != nil {
			return "", err
		}
		signed := encode([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + encode(claims)
		sum := sha256.Sum256([]byte(signed))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		return signed + "." + encode(signature), err
	}
	mux := http.NewServeMux()
	answer := func(path string, value func(*http.Request) any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			v := value(r)
			if v == nil {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			if err := json.NewEncoder(w).Encode(v); err != nil {
				log.Print(err)
			}
		})
	}
	answer("/.well-known/openid-configuration", func(*http.Request) any {
		return map[string]any{"issuer": url, "jwks_uri": url + "/keys", "authorization_endpoint": url + "/auth", "token_endpoint": url + "/token",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}}
	})
	answer("/keys", func(*http.Request) any {
		return map[string]any{"keys": []any{map[string]string{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}}}
	})
	answer("/workflow", func(r *http.Request) any { // as GitHub's runners do
		if r.Header.Get("Authorization") != "Bearer runner" || r.URL.Query().Get("audience") != "sigstore" {
			return nil
		}
		t, err := token()
		if err != nil {
			return nil
		}
		return map[string]string{"value": t}
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		t, err := token()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if _, err := io.WriteString(w, t); err != nil {
			log.Print(err)
		}
	})
	return mux
}
