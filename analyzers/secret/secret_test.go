package secret

import (
	"encoding/base64"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"
)

// draw returns n random characters of c, the same ones for the same seed. No
// complete secret stands in this repository: tests assemble theirs.
func draw(seed int64, c class, n int) string {
	var alphabet []byte
	for b := range 128 {
		if c.has(byte(b)) {
			alphabet = append(alphabet, byte(b))
		}
	}
	r := rand.New(rand.NewSource(seed))
	out := make([]byte, n)
	for {
		for i := range out {
			out[i] = alphabet[r.Intn(len(alphabet))]
		}
		if v := count(string(out)); alnum.has(out[0]) && alnum.has(out[n-1]) && (n < 12 || c&(lower|upper) == 0 || c&(digit|hexLow) == 0 || v.digit > 1 && v.letters() > 1) {
			return string(out)
		}
	}
}

func pemBlock(label, eol string) string {
	lines := []string{"-----BEGIN " + label + "-----"}
	for i := range 6 {
		lines = append(lines, draw(int64(i), alnum, 64))
	}
	return strings.Join(append(lines, "-----END "+label+"-----"), eol)
}

func b64url(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func jwtToken() string {
	return b64url(`{"alg":"HS256","typ":"JWT"}`) + "." + b64url(`{"sub":"8831","role":"service"}`) + "." + draw(3, url64, 43)
}

type sample struct{ kind, before, value, after string }

// samples holds one or more credentials of every kind, in its surroundings.
func samples() []sample {
	var out []sample
	for i := range formats {
		f := &formats[i]
		for j, p := range f.prefixes {
			body := draw(int64(i*10+j), f.body&alnum|f.body&hexLow, f.min)
			switch f.kind {
			case "sendgrid-key":
				body = draw(1, alnum, 22) + "." + draw(2, alnum, 43)
			case "airtable-token":
				body = draw(1, alnum, 14) + "." + draw(2, hexLow, 64)
			case "resend-key":
				body = draw(1, alnum, 8) + "_" + draw(2, alnum, 24)
			}
			out = append(out,
				sample{f.kind, "", p + body, ""},
				sample{f.kind, `{"k": "`, p + body, `"}`},
				sample{f.kind, "see\\n", p + body, ", and on"},
				sample{f.kind, "--x=", p + body, "\n"})
		}
	}
	password := draw(77, alnum, 14)
	wrap := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	hexKey := draw(9, hexLow, 32)
	return append(out,
		sample{"private-key", "key:\n", pemBlock("RSA PRIVATE KEY", "\n"), "\n"},
		sample{"private-key", "", pemBlock("PRIVATE KEY", "\r\n"), ""},
		sample{"private-key", `"k":"`, pemBlock("OPENSSH PRIVATE KEY", `\n`), `\n"`},
		sample{"private-key", "", pemBlock("EC PRIVATE KEY", " "), ""},
		sample{"private-key", "", pemBlock("PGP PRIVATE KEY BLOCK", "\n"), ""},
		sample{"private-key", "", pemBlock("ENCRYPTED PRIVATE KEY", "\n"), ""},
		sample{"private-key", "", strings.TrimSuffix(pemBlock("PRIVATE KEY", "\n"), "\n-----END PRIVATE KEY-----"), ""},
		sample{"private-key", "Private-Lines: 2\n", draw(4, alnum, 64) + "\n" + draw(5, alnum, 64), "\nPrivate-MAC: x"},
		sample{"gcp-service-account", `{"type": "service_account", "private_key": "`, pemBlock("PRIVATE KEY", `\n`), `\n"}`},
		sample{"jwt", "", jwtToken(), ""},
		sample{"jwt", "token ", jwtToken(), ". Then"},
		sample{"bearer-token", "Authorization: Bearer ", draw(8, alnum, 32), "\n"},
		sample{"bearer-token", `-H "authorization: bearer `, draw(8, alnum, 24), `"`},
		sample{"basic-auth", "Authorization: Basic ", wrap("alice:" + password), ""},
		sample{"connection-string", "postgres://app:", password, "@db.internal:5432/x"},
		sample{"connection-string", "mongodb+srv://app:", password, "@cluster0.mongodb.net/?w=1"},
		sample{"connection-string", "redis://:", password, "@cache:6379"},
		sample{"connection-string", "postgres://app:", "a/" + password, "@db/x"},
		sample{"connection-string", "Server=tcp:db;User ID=sa;Password=", "Summer" + "!" + password, ";Encrypt=True"},
		sample{"connection-string", "host=db user=app password=", "plain" + "letters", " dbname=x"},
		sample{"url-password", "https://alice:", password, "@git.corp.net/x.git"},
		sample{"url-password", "https://", draw(5, alnum, 32), "@git.corp.net/x.git"},
		sample{"credential", "https://api.corp.net/mcp?x=1&api_key=", draw(6, alnum, 24), "&y=2"},
		sample{"credential", "https://api.corp.net/sse?token=", draw(6, alnum, 24), ""},
		sample{"credential", "https://api.corp.net/cb#access_token=", draw(6, alnum, 24), ""},
		sample{"credential", "https://api.corp.net/?key=", draw(6, hexLow, 32), ""},
		sample{"credential", "https://b.s3.amazonaws.com/o?X-Amz-Signature=", draw(6, hexLow, 64), "&x=1"},
		sample{"azure-sas", "https://a.blob.core.windows.net/c?sv=2023-01-03&se=2027&sig=", draw(6, alnum, 43) + "%3D", ""},
		sample{"azure-storage-key", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=", draw(6, alnum, 86) + "==", ";EndpointSuffix=core.windows.net"},
		sample{"azure-client-secret", "secret ", draw(1, alnum, 3) + "8Q~" + draw(2, alnum, 34), ""},
		sample{"aws-secret-key", "aws_secret_access_key = ", draw(6, alnum|slash, 40), "\n"},
		sample{"cloudflare-token", "CLOUDFLARE_API_TOKEN=", draw(6, alnum, 40), ""},
		sample{"twilio-key", "TWILIO_AUTH_TOKEN: '", hexKey, "'"},
		sample{"twilio-key", "sid ", "SK" + hexKey, ""},
		sample{"mailchimp-key", "", hexKey + "-us21", ""},
		sample{"telegram-bot-token", "https://api.telegram.org/bot", "712345098" + ":AA" + draw(6, url64, 33), "/getMe"},
		sample{"discord-bot-token", "", b64url("294882584201003009") + "." + draw(1, alnum, 6) + "." + draw(2, url64, 38), ""},
		sample{"terraform-token", "", draw(1, alnum, 14) + ".atlasv1." + draw(2, alnum, 67), ""},
		sample{"webhook-url", "https://hooks.slack.com/services/", "T0" + draw(1, upperNum, 9) + "/B0" + draw(2, upperNum, 9) + "/" + draw(3, alnum, 24), ""},
		sample{"webhook-url", "https://discord.com/api/webhooks/", "1" + draw(1, digit, 17) + "/" + draw(3, alnum, 68), " "},
		sample{"credential", `"api_key": "`, draw(6, hexLow, 32), `"`},
		sample{"credential", `{\"apiKey\": \"`, draw(6, alnum, 32), `\"}`},
		sample{"credential", "--api-key ", draw(6, alnum, 32), " --verbose"},
		sample{"credential", "X-Api-Key: ", draw(6, alnum, 32), "\r\n"},
		sample{"password", "DB_PASSWORD=", password, "\n"},
		sample{"password", `password: "`, "hunter" + "24ever", `"`},
		sample{"github-token", "", wrap("ghp_" + draw(1, alnum, 36)), ""},
		sample{"private-key", "data: ", wrap(pemBlock("RSA PRIVATE KEY", "\n")), "\n"},
	)
}

func TestFindFires(t *testing.T) {
	seen := map[string]bool{}
	for i, s := range samples() {
		text := s.before + s.value + s.after
		got := Find(text)
		if len(got) != 1 || got[0].Kind != s.kind || got[0].Start != len(s.before) || got[0].End != len(s.before)+len(s.value) {
			t.Errorf("sample %d: %s behind %q: got %v, want [%d,%d)", i, s.kind, s.before, got, len(s.before), len(s.before)+len(s.value))
			continue
		}
		seen[s.kind] = true
		if masked := Mask(text); masked != s.before+"["+s.kind+"]"+s.after {
			t.Errorf("sample %d: Mask leaves %d bytes", i, len(masked))
		}
	}
	seen["seed-phrase"] = true // by name alone: TestNamed
	for _, k := range Kinds() {
		if !seen[k.Kind] {
			t.Errorf("no sample of kind %s was found", k.Kind)
		}
		if k.Title == "" {
			t.Errorf("kind %s has no title", k.Kind)
		}
	}
}

func TestFindIsSilent(t *testing.T) {
	for _, text := range harmlessTexts() {
		for _, m := range Find(text) {
			t.Errorf("Find(%.80q) says %s at [%d,%d)", text, m.Kind, m.Start, m.End)
		}
	}
}

// Every format's prefix in front of what documentation puts there.
func TestFindIgnoresPlaceholders(t *testing.T) {
	for i := range formats {
		f := &formats[i]
		for _, p := range f.prefixes {
			for _, body := range []string{
				strings.Repeat("x", f.min), strings.Repeat("X", f.min), strings.Repeat("0", f.min), strings.Repeat("*", f.min), "...", "",
				"your-token-here", "YOUR_API_KEY", strings.Repeat("1234567890", 30)[:f.min], strings.Repeat("abcdefghijklmnopqrstuvwxyz", 30)[:f.min],
				strings.Repeat("abcdef0123456789", 30)[:f.min],
			} {
				if got := Find(`"` + p + body + `"`); len(got) > 0 {
					t.Errorf("%s%.12s (%d bytes): %v", p, body, len(body), got)
				}
			}
		}
	}
}

func TestFindSeveral(t *testing.T) {
	a, b := "ghp_"+draw(1, alnum, 36), "sk-ant-api03-"+draw(2, alnum, 93)
	text := "A=" + a + " B=" + b + " again " + a
	got := Find(text)
	if len(got) != 3 || got[0].Kind != "github-token" || got[1].Kind != "anthropic-key" || got[2].Kind != "github-token" {
		t.Fatalf("got %v", got)
	}
	if want := "A=[github-token] B=[anthropic-key] again [github-token]"; Mask(text) != want {
		t.Errorf("Mask: not %q", want)
	}
}

func TestMaskCoversEveryCopy(t *testing.T) {
	v := draw(1, alnum, 20)
	if got := Mask("PASSWORD=" + v + " and by itself <" + v + ">"); got != "PASSWORD=[password] and by itself <[password]>" {
		t.Error("a copy of the value is left")
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.before + s.value + s.after)
	}
	for _, text := range harmlessTexts()[:40] {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		matches := Find(text)
		for _, m := range matches {
			if m.Start < last || m.End <= m.Start || m.End > len(text) {
				t.Fatalf("%v after offset %d in %d bytes", m, last, len(text))
			}
			last = m.End
			if utf8.ValidString(text) && (!utf8.ValidString(text[:m.Start]) || !utf8.ValidString(text[m.Start:m.End])) {
				t.Fatalf("%v cuts a rune", m)
			}
		}
		masked := Mask(text)
		for _, m := range matches {
			if strings.Contains(masked, text[m.Start:m.End]) {
				t.Fatalf("Mask leaves the value of %v", m)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	prose := "The quick server lists tools, reads the resource and returns a page; call it again with the cursor. "
	object := `{"name": "read_file", "description": "Read a file from https://example.org/docs/path?x=1", "version": "1.20.3", "sha": "4f2a9c"}, `
	tokens := `{"max_tokens": 4096, "tokenizer": "cl100k", "primary_key": "id", "password": {"type": "string"}} `
	for name, unit := range map[string]string{"prose": prose, "json": object, "trigger": tokens, "base64": base64.StdEncoding.EncodeToString([]byte(draw(1, lower, 300) + "\x00"))} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				Find(text)
			}
		})
	}
}

// Hostile repetition must not make Find quadratic: twice the text may take
// little more than twice the time. Work is bounded, so a plain run suffices.
func BenchmarkFindHostile(b *testing.B) {
	for _, unit := range []string{"-eyJ", "sk-", "://", "a://u:p@b?token=", "key=", "keykey", "-----BEGIN PRIVATE KEY-----", "xoxe-", "password=", "12345678:AA", "ya29.", "a.7Q~", "\\"} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		b.Run(unit[:min(len(unit), 8)], func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Find(text)
			}
		})
	}
}

func BenchmarkMaskMany(b *testing.B) {
	var text strings.Builder
	for i := range 5000 {
		text.WriteString("k ghp_" + draw(int64(i), alnum, 36) + "\n")
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		Mask(text.String())
	}
}
