package redact

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/registry"
)

func all(t testing.TB) *Set {
	t.Helper()
	s, ok := New(registry.RedactionKinds())
	if !ok {
		t.Fatal("a kind of the registry is not known")
	}
	return s
}

func TestKinds(t *testing.T) {
	for _, kind := range registry.RedactionKinds() {
		s, ok := New([]string{kind})
		if !ok || !s.secrets && len(s.find) == 0 {
			t.Errorf("%s finds nothing", kind)
		}
	}
	if _, ok := New([]string{"secrets", "shoes"}); ok {
		t.Error("shoes are taken out")
	}
}

// What is found stands in the want in brackets, with its kind.
func TestFind(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"pay with 4111 1111 1111 1111 today", "pay with <cards> today"},
		{"4111-1111-1111-1111,378282246310005;5555555555554444", "<cards>,<cards>;<cards>"},
		{"order 12 4111111111111111 13", "order 12 <cards> 13"},
		{"6011000990139424 and 30569309025904 and 3530111333300000", "<cards> and <cards> and <cards>"},
		{"4111 1111 1111 1112, 1234567890123456, 0000 0000 0000 0000", ""}, // check digit, network, nobody's
		{"x4111111111111111 4111111111111111x 1.4111111111111111 41111111111111111", ""},
		{"1732924800123 ms, 20260101120000, 9007199254740993", ""},
		{"to DE89 3704 0044 0532 0130 00 or GB82WEST12345698765432.", "to <ibans> or <ibans>."},
		{"DE88 3704 0044 0532 0130 00, XX89370400440532013000, DE8937040044053201300", ""},
		{"fr1420041010050500013m02606", "<ibans>"},
		{"Ada <ada.l+tide@port.example.org>, b_c@sub.example.co.uk", "Ada <<emails>>, <emails>"},
		{"mailto:ada@example.org?x=1 and jürgen@hafen.example", "mailto:<emails>?x=1 and <emails>"},
		{"git@host.example:a/b.git, @acme/pkg@1.2.3, a@b, user@localhost, npm i x@latest, @decorator.name", ""},
		{"call +49 40 123456-78 or +1 (415) 555-2671.", "call <phones> or <phones>."},
		{"+4930123456789", "<phones>"},
		{"a+12345678, C++20, +1 more, 1+123456789, +0123456789, +1234567890123456", ""},
	} {
		s := all(t)
		var b strings.Builder
		last := 0
		for _, m := range s.Find("", c.text) {
			b.WriteString(c.text[last:m.Start] + "<" + m.Kind + ">")
			last = m.End
		}
		b.WriteString(c.text[last:])
		want := c.want
		if want == "" {
			want = c.text
		}
		if b.String() != want {
			t.Errorf("%s\n got %s\nwant %s", c.text, b.String(), want)
		}
	}
}

func TestShape(t *testing.T) {
	if got := Shape("Ab-12 é+@"); got != "Xx-00 x+@" {
		t.Error(got)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "ada@port.example.org", "+49 40 1234567", "a@a.a@a.aa", strings.Repeat("1 ", 40), strings.Repeat("+", 30) + "123456789"} {
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		s := all(t)
		found := s.Find(key, text)
		end := 0
		var b strings.Builder
		for _, m := range found {
			if m.Start < end || m.End <= m.Start || m.End > len(text) || !slices.Contains(registry.RedactionKinds(), m.Kind) {
				t.Fatalf("%+v in %q", found, text)
			}
			b.WriteString(text[end:m.Start] + Label(m.Kind))
			end = m.End
		}
		b.WriteString(text[end:])
		if len(b.String()) > len(text)+32*len(found) {
			t.Fatalf("%q", b.String())
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The ferry 4711 of 2026-11-22 leaves at 06:30 from pier 12, tickets at https://port.example/a?b=1. ", 100)
	s := all(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Find("", text)
	}
}
