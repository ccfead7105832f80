package seal

import (
	"errors"
	"strings"
	"testing"
)

func TestReadStatement(t *testing.T) {
	text := string(aStatement())
	swap := func(old, with string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(text, old, with, 1)
	}
	for _, c := range []struct {
		name, statement string
		want            Reason
	}{
		{"good", text, ""},
		{"never expires", swap(`"expires":"2027-01-02T03:04:05Z",`, ""), ""},
		{"never expires, said", swap(`"2027-01-02T03:04:05Z"`, "null"), ""},
		{"unknown members", swap(`"subject":`, `"more":{"a":[1]},"subject":`), ""},
		{"no JSON", "manifest", Malformed},
		{"no object", "[]", Malformed},
		{"something behind", text + "{}", Malformed},
		{"comments", "// \n" + text, Malformed},
		{"deep", swap(`"server":{}`, `"server":`+strings.Repeat("[", 300)+strings.Repeat("]", 300)), Malformed},
		{"statement type", swap("Statement/v1", "Statement/v0.1"), Malformed},
		{"other predicate", swap("manifest/v1", "manifest/v2"), Predicate},
		{"no subject", swap(`"subject":[{"name":"`+aPurl+`","digest":{"sha256":"`+aDigest+`"}}]`, `"subject":[]`), Malformed},
		{"no digest", swap(`{"sha256":"`+aDigest+`"}`, `{}`), Malformed},
		{"digest in capitals", swap(aDigest, strings.ToUpper(aDigest)), Malformed},
		{"digest too short", swap(aDigest, "0011"), Malformed},
		{"digest of no hex", swap(aDigest, strings.Repeat("g", 64)), Malformed},
		{"no predicate", swap(`"predicate":{`, `"other":{`), Malformed},
		{"twice", swap(`"serial":7`, `"serial":7,"serial":9`), Malformed},
		{"twice, escaped", swap(`"serial":7`, `"serial":7,"s\u0065rial":9`), Malformed},
		{"twice, deep in it", swap(`"server":{}`, `"server":{"a":[{"b":1,"b":2}]}`), Malformed},
		{"look-alike", swap(`"_type"`, `"Subject":[],"_type"`), Malformed},
		{"no serial", swap(`"serial":7,`, ""), Malformed},
		{"serial zero", swap(`"serial":7`, `"serial":0`), Malformed},
		{"serial below", swap(`"serial":7`, `"serial":-1`), Malformed},
		{"serial with a fraction", swap(`"serial":7`, `"serial":7.5`), Malformed},
		{"serial as a power", swap(`"serial":7`, `"serial":7e1`), Malformed},
		{"serial beyond", swap(`"serial":7`, `"serial":9007199254740992`), Malformed},
		{"serial far beyond", swap(`"serial":7`, `"serial":18446744073709551623`), Malformed},
		{"serial as text", swap(`"serial":7`, `"serial":"7"`), Malformed},
		{"not issued", swap(`"issued":"2026-01-02T03:04:05Z",`, ""), Malformed},
		{"no time", swap("2027-01-02T03:04:05Z", "tomorrow"), Malformed},
		{"time of a number", swap(`"2027-01-02T03:04:05Z"`, "0"), Malformed},
		{"time zero", swap("2027-01-02T03:04:05Z", "0001-01-01T00:00:00Z"), Malformed},
		{"too many subjects", swap(`"subject":[`, `"subject":[`+strings.Repeat(`{"name":"a","digest":{"sha256":"`+aDigest+`"}},`, maxSubjects)), TooLarge},
		{"too large", text + strings.Repeat(" ", MaxBundle), TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadStatement([]byte(c.statement), ManifestType)
			wants(t, err, c.want)
		})
	}
}

func FuzzReadStatement(f *testing.F) {
	f.Add(aStatement())
	f.Add([]byte(`{"_type":"` + StatementType + `","predicateType":"` + ManifestType + `","subject":[{"digest":{"sha256":"` + aDigest + `"}}],"predicate":{"serial":1,"issued":"2026-01-02T03:04:05+01:00"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadStatement(b, ManifestType)
		var refused *Refusal
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Fatalf("an error that is no refusal: %v", err)
		case err == nil && (s.Serial == 0 || s.Issued.IsZero() || len(s.Subjects) == 0):
			t.Fatalf("accepted without the necessary: %+v", s)
		}
	})
}
