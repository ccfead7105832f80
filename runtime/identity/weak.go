package identity

import (
	"fmt"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
)

// Weak reports whether somebody else decides at the start what a command line
// starts, and how: npx and its kin, a git branch, a tag of an image. Why is a
// clause without a full stop.
func Weak(argv []string) (why string, weak bool) {
	texts := make([]analyzers.Text, len(argv))
	for i, word := range argv {
		texts[i].Value = analyzers.Untrusted(word)
	}
	l := launch.Resolve(texts)
	if l == nil {
		return "", false
	}
	// The least firm reference is the one that is told of.
	rank, program := 0, analyzers.Untrusted(l.Program).String()
	say := func(r int, format string, args ...any) {
		if r > rank {
			rank, why = r, fmt.Sprintf(format, args...)
		}
	}
	for _, i := range l.Images {
		if i.Pin != analyzers.PinDigest {
			say(4, "%s starts whatever image %s names that day", program, i.Spec)
		}
	}
	for _, p := range l.Packages {
		switch {
		case p.Source == "path":
		case p.Source == "url":
			say(4, "%s starts whatever %s serves that day", program, p.Spec)
		case p.Pin == analyzers.PinCommit:
			say(1, "%s fetches %s at the start, and dependencies as they are that day", program, p.Spec)
		case p.Source == "git":
			say(4, "%s starts whatever the branch or tag of %s is that day", program, p.Spec)
		case p.Pin == analyzers.PinExact:
			say(2, "%s fetches %s at the start, and dependencies as they are served that day", program, p.Spec)
		default:
			say(3, "%s starts whatever version of %s is served that day", program, p.Spec)
		}
	}
	if slices.Contains([]string{"deno", "bun", "jbang"}, l.Program) && len(l.Remotes) > 0 && len(l.Packages) == 0 {
		say(4, "%s starts whatever %s serves that day", program, l.Remotes[0])
	}
	return why, rank > 0
}
