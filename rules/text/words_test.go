package text

import (
	"strings"
	"testing"
)

// TestWords compares what is done eight bytes at a time with a look at each.
func TestWords(t *testing.T) {
	for c := range 256 {
		for at := range 9 {
			s := strings.Repeat("k", at) + string([]byte{byte(c)}) + "zz"
			letters, ascii := 0, true
			for letters < min(8, len(s)) && s[letters] >= 'a' && s[letters] <= 'z' {
				letters++
			}
			for i := range len(s) {
				ascii = ascii && s[i] < 0x80
			}
			if got := Letters(Eight(s, 0)); got != letters {
				t.Errorf("%q begins with %d letters, want %d", s, got, letters)
			}
			if got := ASCII(s); ascii != (got == len(s)) || got > at && !ascii {
				t.Errorf("%q begins with %d bytes of ASCII", s, got)
			}
			b := []byte(s)
			lowerBytes(b)
			for i := range b {
				if b[i] != lowerByte(s[i]) {
					t.Errorf("%q in lower case is %q", s, b)
				}
			}
		}
	}
}
