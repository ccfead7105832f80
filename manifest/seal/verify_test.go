package seal

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustVerifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wants compares an outcome with a reason, "" for accepted.
func wants(t *testing.T, err error, want Reason) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v (%v)", err, errors.Unwrap(err))
		}
		return
	}
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v, want a refusal: %s", err, want)
	}
	if r.Reason != want {
		t.Errorf("refused for %v (%v), want %s", r, r.Unwrap(), want)
	}
	if r.Detail == "" || strings.ContainsAny(r.Error(), "\n\x1b") {
		t.Errorf("a person cannot read %q", r.Error())
	}
}

// TestKeySigned: a bundle signed with a key, whole and broken in every way.
func TestKeySigned(t *testing.T) {
	key := newKey(t)
	good, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*protobundle.Bundle)) []byte {
		entity, _, err := open(good)
		if err != nil {
			t.Fatal(err)
		}
		change(entity.Bundle)
		return encode(t, entity.Bundle)
	}
	signed := func(statement string) []byte {
		return edit(func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.Payload = []byte(statement)
			e.Signatures[0].Sig = signPAE(t, key, PayloadType, e.Payload)
		})
	}
	text := string(aStatement())
	other := newKey(t)
	for _, c := range []struct {
		name   string
		bundle []byte
		want   Reason
	}{
		{"good", good, ""},
		{"tampered payload", edit(func(b *protobundle.Bundle) { b.GetDsseEnvelope().Payload[200] ^= 1 }), Signature},
		{"tampered signature", edit(func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig[20] ^= 1 }), Signature},
		{"no signature bytes", edit(func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig = nil }), Signature},
		{"another key", edit(func(b *protobundle.Bundle) {
			b.GetDsseEnvelope().Signatures[0].Sig = signPAE(t, other, PayloadType, b.GetDsseEnvelope().Payload)
		}), Signature},
		{"another key, with our hint", edit(func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.Payload = []byte(strings.Replace(text, "1.0.0", "6.6.6", 1))
			e.Signatures[0].Sig = signPAE(t, other, PayloadType, e.Payload)
		}), Signature},
		{"another's hint is nobody's business", edit(func(b *protobundle.Bundle) { b.VerificationMaterial.GetPublicKey().Hint = "\x1b[31mmallory" }), ""},
		{"two signatures", edit(func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.Signatures = append(e.Signatures, e.Signatures[0])
		}), Payload},
		{"no signature", edit(func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures = nil }), Payload},
		{"payload type", edit(func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.PayloadType = "application/json"
			e.Signatures[0].Sig = signPAE(t, key, e.PayloadType, e.Payload)
		}), Payload},
		{"a file, not a statement", edit(func(b *protobundle.Bundle) {
			b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{Signature: []byte{1}}}
		}), Payload},
		{"older bundle", edit(func(b *protobundle.Bundle) { b.MediaType = "application/vnd.dev.sigstore.bundle+json;version=0.2" }), Malformed},
		{"newer bundle", edit(func(b *protobundle.Bundle) { b.MediaType = "application/vnd.dev.sigstore.bundle.v0.4+json" }), Malformed},
		{"no material", edit(func(b *protobundle.Bundle) { b.VerificationMaterial = nil }), Malformed},
		{"truncated", good[:len(good)/2], Malformed},
		{"empty", nil, Malformed},
		{"two bundles", append(bytes.Clone(good), good...), Malformed},
		{"two payloads", bytes.Replace(good, []byte(`"payload":`), []byte(`"payload":"e30=","payload":`), 1), Malformed},
		{"two contents", bytes.Replace(good, []byte(`"dsseEnvelope":`), []byte(`"messageSignature":{"signature":"AA=="},"dsseEnvelope":`), 1), Malformed},
		{"unknown member", bytes.Replace(good, []byte(`"dsseEnvelope":`), []byte(`"more":1,"dsseEnvelope":`), 1), Malformed},
		{"deep", []byte(strings.Repeat(`{"a":`, 1000)), Malformed},
		{"huge", bytes.Repeat([]byte(" "), MaxBundle+1), TooLarge},
		{"other predicate type", signed(strings.Replace(text, "/manifest/v1", "/registry/v1", 1)), Predicate},
		{"no statement", signed(`{"tools":[]}`), Malformed},
		{"two subjects lists", signed(strings.Replace(text, `"subject":`, `"subject":[],"subject":`, 1)), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := mustVerifier(t, Policy{Key: key.Public()}).Verify(c.bundle, Expect{Now: now})
			wants(t, err, c.want)
			if err == nil && !bytes.Equal(r.Statement.Bytes, aStatement()) {
				t.Errorf("accepted %q", r.Statement.Bytes)
			}
		})
	}

	id, err := KeyID(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		expect Expect
		want   Reason
	}{
		{"name and digest", Expect{Subjects: []string{aPurl, "sha256:" + aDigest}, MinSerial: 7, Now: now}, ""},
		{"another version", Expect{Subjects: []string{"pkg:npm/acme@1.0.1"}, Now: now}, Subject},
		{"another capture", Expect{Subjects: []string{aPurl, "sha256:" + strings.Repeat("0", 64)}, Now: now}, Subject},
		{"another algorithm", Expect{Subjects: []string{"sha512:" + aDigest}, Now: now}, Subject},
		{"empty subject", Expect{Subjects: []string{""}, Now: now}, Subject},
		{"empty digest", Expect{Subjects: []string{"md5:"}, Now: now}, Subject},
		{"the last moment", Expect{Now: expires.Add(-time.Second)}, ""},
		{"expired", Expect{Now: expires}, Expired},
		{"no time", Expect{}, Expired},
		{"from the future", Expect{Now: issued.Add(-time.Hour)}, NotYet},
		{"a clock that is slow", Expect{Now: issued.Add(-time.Minute)}, ""},
		{"rolled back", Expect{Now: now, MinSerial: 8}, Rollback},
		{"another type is wanted", Expect{Now: now, PredicateType: "https://sallyport.dev/registry/v1"}, Predicate},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := mustVerifier(t, Policy{Key: key.Public()}).Verify(good, c.expect)
			wants(t, err, c.want)
			if err == nil && (r.KeyID != id || r.Identity != "" || !r.Time.IsZero() || r.Statement.Serial != 7) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestCertificateSigned: the same for certificates, logs and timestamps.
func TestCertificateSigned(t *testing.T) {
	w := newWorld(t)
	policy := Policy{Root: &Root{w}, Identity: `https://github\.com/acme/server/.*`, Issuer: actions}
	good := w.sign(t, forgery{})
	edit := func(f forgery, change func(*protobundle.Bundle)) *protobundle.Bundle {
		b := w.sign(t, f)
		change(b)
		return b
	}
	material := func(b *protobundle.Bundle) *protobundle.VerificationMaterial { return b.VerificationMaterial }
	stranger := newWorld(t)
	if err := stranger.found(); err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	for _, c := range []struct {
		name   string
		bundle *protobundle.Bundle
		policy func(*Policy)
		want   Reason
	}{
		{"good", good, nil, ""},
		{"identity", w.sign(t, forgery{identity: "https://github.com/mallory/server/"}), nil, Identity},
		{"issuer", w.sign(t, forgery{issuer: "https://issuer.example"}), nil, Issuer},
		{"issuer with more behind", w.sign(t, forgery{issuer: actions + ".example"}), nil, Issuer},
		{"tampered payload", edit(forgery{}, func(b *protobundle.Bundle) { b.GetDsseEnvelope().Payload[200] ^= 1 }), nil, Signature},
		{"tampered signature", edit(forgery{}, func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig[20] ^= 1 }), nil, Signature},
		{"another certificate", edit(forgery{}, func(b *protobundle.Bundle) {
			material(b).Content = &protobundle.VerificationMaterial_Certificate{Certificate: material(good).GetCertificate()}
		}), nil, Signature},
		{"broken certificate", edit(forgery{}, func(b *protobundle.Bundle) { material(b).GetCertificate().RawBytes = []byte{0x30, 1} }), nil, Malformed},
		{"log entry of another bundle", edit(forgery{}, func(b *protobundle.Bundle) { material(b).TlogEntries = material(good).TlogEntries }), nil, LogEntry},
		{"no log entry", edit(forgery{}, func(b *protobundle.Bundle) { material(b).TlogEntries = nil }), nil, LogEntry},
		{"no log entry, ignored", edit(forgery{}, func(b *protobundle.Bundle) { material(b).TlogEntries = nil }), func(p *Policy) { p.InsecureIgnoreLog = true }, ""},
		{"logged outside the certificate's validity", w.sign(t, forgery{integrated: time.Now().Add(30 * time.Minute)}), nil, LogEntry},
		{"stamped outside the certificate's validity", w.sign(t, forgery{begins: time.Now().Add(-time.Hour), integrated: time.Now().Add(-55 * time.Minute)}), nil, Certificate},
		{"stamped before the certificate", w.sign(t, forgery{begins: time.Now().Add(time.Hour)}), func(p *Policy) { p.InsecureIgnoreLog = true }, Certificate},
		{"no timestamp: the log's counts", edit(forgery{}, func(b *protobundle.Bundle) { material(b).TimestampVerificationData = nil }), nil, ""},
		{"no timestamp and no log", edit(forgery{}, func(b *protobundle.Bundle) {
			material(b).TimestampVerificationData, material(b).TlogEntries = nil, nil
		}), func(p *Policy) { p.InsecureIgnoreLog = true }, Timestamp},
		{"timestamp of another bundle", edit(forgery{}, func(b *protobundle.Bundle) {
			material(b).TimestampVerificationData, material(b).TlogEntries = material(good).TimestampVerificationData, nil
		}), func(p *Policy) { p.InsecureIgnoreLog = true }, Timestamp},
		{"no SCT", w.sign(t, forgery{noSCT: true}), nil, CertificateLog},
		{"no SCT, ignored", w.sign(t, forgery{noSCT: true}), func(p *Policy) { p.InsecureIgnoreSCT = true }, ""},
		{"another authority", stranger.sign(t, forgery{}), nil, Certificate},
		{"no certificate logs in the root", w.sign(t, forgery{noSCT: true}), func(p *Policy) {
			private := *w
			private.noCTLog = true
			p.Root = &Root{&private}
		}, ""},
		{"nobody in the root attests a time", good, func(p *Policy) {
			private := *w
			private.noLog, private.noTSA = true, true
			p.Root = &Root{&private}
		}, Timestamp},
		{"a key is wanted", good, func(p *Policy) { *p = Policy{Key: key.Public()} }, SignerKind},
		{"a certificate is wanted", edit(forgery{}, func(b *protobundle.Bundle) {
			material(b).Content = &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: "any"}}
		}), nil, SignerKind},
		{"two signatures", edit(forgery{}, func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.Signatures = append(e.Signatures, &protodsse.Signature{Sig: []byte{1}})
		}), nil, Payload},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policy
			if c.policy != nil {
				c.policy(&p)
			}
			r, err := mustVerifier(t, p).Verify(encode(t, c.bundle), Expect{Now: now, Subjects: []string{aPurl}})
			wants(t, err, c.want)
			if err == nil && (r.Identity != workflow || r.Issuer != actions || time.Since(r.Time).Abs() > time.Minute || r.KeyID != "") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestLogVersion2: an entry of Rekor 2, which names no time.
func TestLogVersion2(t *testing.T) {
	w := newWorld(t)
	made, err := w.AttestHashedRekordV2("dev@example.test", actions, aStatement())
	if err != nil {
		t.Fatal(err)
	}
	content, err := made.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := made.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := made.Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := made.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	b := w.sign(t, forgery{})
	b.GetDsseEnvelope().Signatures[0].Sig = signed.Signature()
	b.VerificationMaterial.GetCertificate().RawBytes = content.Certificate().Raw
	b.VerificationMaterial.TimestampVerificationData.Rfc3161Timestamps[0].SignedTimestamp = stamps[0]
	other := b.VerificationMaterial.TlogEntries[0]
	b.VerificationMaterial.TlogEntries[0] = entries[0].TransparencyLogEntry()
	policy := Policy{Root: &Root{w.VirtualSigstore}, Identity: `dev@example\.test`, Issuer: actions, InsecureIgnoreSCT: true}
	_, err = mustVerifier(t, policy).Verify(encode(t, b), Expect{Now: now})
	wants(t, err, "")
	b.VerificationMaterial.TlogEntries[0] = other
	_, err = mustVerifier(t, policy).Verify(encode(t, b), Expect{Now: now})
	wants(t, err, LogEntry)
}

// TestAnchored: an expression has to match the whole identity, however it is
// written.
func TestAnchored(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		expression, identity string
		want                 Reason
	}{
		{`https://github.com/org/.*`, "https://github.com/org/repo", ""},
		{`https://github.com/org/.*`, "https://evil.example/?https://github.com/org/repo", Identity},
		{`https://github.com/org/.*`, "https://github.com.evil.example/org/repo", Identity},
		{`https://github.com/org/repo`, "https://github.com/org/repo-evil", Identity},
		{`https://github.com/org/repo`, "https://github.com/org/repo/evil", Identity},
		{`https://github.com/org/a|https://github.com/org/b`, "https://github.com/org/b", ""},
		{`https://github.com/org/a|https://github.com/org/b`, "https://evil.example/https://github.com/org/b", Identity},
		{`https://github.com/org/a|https://github.com/org/b`, "https://github.com/org/a/evil", Identity},
		{`(?m)^https://github.com/org/a$`, "https://github.com/org/a", ""},
		{`(?i)https://github.com/ORG/a`, "https://github.com/org/a", ""},
		{`https://github.com/org/a`, "https://github.com/ORG/a", Identity},
	} {
		v := mustVerifier(t, Policy{Root: &Root{w}, Identity: c.expression, Issuer: actions})
		_, err := v.Verify(encode(t, w.sign(t, forgery{identity: c.identity})), Expect{Now: now})
		t.Run(c.expression+" "+c.identity, func(t *testing.T) { wants(t, err, c.want) })
	}
}

// TestPolicies: a policy that would believe anybody is none.
func TestPolicies(t *testing.T) {
	w := newWorld(t)
	key := newKey(t).Public()
	r := &Root{w}
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Policy{
		"nothing":               {},
		"root alone":            {Root: r},
		"no issuer":             {Root: r, Identity: "me"},
		"no identity":           {Root: r, Issuer: actions},
		"no root":               {Identity: "me", Issuer: actions},
		"key and identity":      {Key: key, Identity: "me"},
		"key and issuer":        {Key: key, Root: r, Issuer: actions},
		"anybody":               {Root: r, Identity: ".*", Issuer: actions},
		"anybody at all":        {Root: r, Identity: ".+", Issuer: actions},
		"anybody, too":          {Root: r, Identity: "me|", Issuer: actions},
		"no expression":         {Root: r, Identity: "(", Issuer: actions},
		"out of the brackets":   {Root: r, Identity: "a)|(.*", Issuer: actions},
		"quoting the brackets":  {Root: r, Identity: `\Qme`, Issuer: actions},
		"ignoring what is none": {Key: key, InsecureIgnoreLog: true},
		"a weak kind of key":    {Key: big.Public()},
		"no key":                {Key: "me"},
	} {
		if _, err := NewVerifier(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	w := newWorld(f)
	good, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: key})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(encode(f, w.sign(f, forgery{})))
	f.Add([]byte(`{"mediaType":"` + MediaType + `","verificationMaterial":{"publicKey":{}},"dsseEnvelope":{"payload":"e30=","payloadType":"` + PayloadType + `","signatures":[{"sig":""}]}}`))
	byKey, err := NewVerifier(Policy{Key: key.Public()})
	if err != nil {
		f.Fatal(err)
	}
	byRoot, err := NewVerifier(Policy{Root: &Root{w}, Identity: `https://github\.com/acme/.*`, Issuer: actions})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []*Verifier{byKey, byRoot} {
			r, err := v.Verify(b, Expect{Now: now})
			var refused *Refusal
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			if err == nil && !bytes.Equal(r.Statement.Bytes, aStatement()) {
				t.Fatalf("nobody signed %q", r.Statement.Bytes)
			}
		}
	})
}

func BenchmarkVerifyKey(b *testing.B) {
	key := newKey(b)
	good, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: key})
	if err != nil {
		b.Fatal(err)
	}
	v := mustVerifier(b, Policy{Key: key.Public()})
	for b.Loop() {
		if _, err := v.Verify(good, Expect{Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCertificate(b *testing.B) {
	w := newWorld(b)
	good := encode(b, w.sign(b, forgery{}))
	v := mustVerifier(b, Policy{Root: &Root{w}, Identity: `https://github\.com/acme/.*`, Issuer: actions})
	for b.Loop() {
		if _, err := v.Verify(good, Expect{Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyLarge is a manifest of 2,000 tools.
func BenchmarkVerifyLarge(b *testing.B) {
	key := newKey(b)
	tool := `{"name":"tool","digest":"` + aDigest + `","text":"` + aDigest + `","schema":"` + aDigest + `","basis":"captured"},`
	statement := bytes.Replace(aStatement(), []byte(`"server":{}`), []byte(`"tools":[`+strings.Repeat(tool, 2000)+`{}]`), 1)
	good, err := Sign(context.Background(), statement, ManifestType, Signer{Key: key})
	if err != nil {
		b.Fatal(err)
	}
	v := mustVerifier(b, Policy{Key: key.Public()})
	b.SetBytes(int64(len(good)))
	for b.Loop() {
		if _, err := v.Verify(good, Expect{Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}
