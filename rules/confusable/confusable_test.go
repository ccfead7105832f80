package confusable_test

import (
	"testing"

	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

func TestSkeleton(t *testing.T) {
	for _, test := range []struct {
		in, want      string
		folded, mixed bool
	}{
		{"github", "github", false, false},
		{"gith\u0443b", "githyb", true, true},
		{"p\u0430ypal", "paypal", true, true},
		{"\u0430\u0440\u0440\u04cf\u0435", "apple", true, false},
		{"\uff47\uff49\uff54", "git", true, false},
		{"m\u00fcnchen", "m\u00fcnchen", false, false},
		{"\u65e5\u672c", "\u65e5\u672c", false, false},
	} {
		got, folded := confusable.Skeleton(test.in)
		if got != test.want || folded != test.folded || confusable.Mixed(test.in) != test.mixed {
			t.Errorf("%q: got %q %v mixed %v", test.in, got, folded, confusable.Mixed(test.in))
		}
	}
}
