package text

import (
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestUncomposed: what compose passes by has indeed no other form.
func TestUncomposed(t *testing.T) {
	n := 0
	for r := rune(0x80); r < 0x30000; r++ {
		if uncomposed(r) {
			n++
			if !norm.NFKD.IsNormalString(string(r)) {
				t.Errorf("%U has another form", r)
			}
		}
	}
	if n < 20000 {
		t.Errorf("%d runes", n)
	}
}
