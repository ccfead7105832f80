package drift

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Words is the change in two sentences: what has changed, why that matters and
// its class; then the values. It is safe to print.
func (c Change) Words() string {
	return fmt.Sprintf("%s: %s (%s).%s", c.named(), c.Reason, c.Class, c.values())
}

// Subject names the place that has changed, the same in each scan.
func (c Change) Subject() string {
	subject := c.Kind + " " + c.Name.Raw()
	if c.Kind == "instructions" {
		subject = c.Kind
	}
	if c.Field != "" && c.Field.Raw() != subject {
		subject += " " + c.Field.Raw()
	}
	return subject
}

func (c Change) named() string {
	switch {
	case c.Kind == "instructions":
		return "the instructions"
	case c.Kind == "server":
		return fmt.Sprintf("server %q", c.Name)
	}
	return fmt.Sprintf("%s %q", c.Kind, c.Name)
}

func (c Change) values() string {
	switch {
	case c.Before != "" && c.After != "":
		a, b := apart(c.Before.Raw(), c.After.Raw())
		return fmt.Sprintf(" It was %q and is %q.", a, b)
	case c.Before != "":
		return fmt.Sprintf(" It was %q.", briefly(c.Before.Raw()))
	case c.After != "":
		return fmt.Sprintf(" It is %q.", briefly(c.After.Raw()))
	}
	return ""
}

// brief is how much of a value a message shows, in bytes.
const brief = 100

func briefly(s string) analyzers.Untrusted {
	if len(s) <= brief {
		return analyzers.Untrusted(s)
	}
	end := brief
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return analyzers.Untrusted(s[:end] + "...")
}

// apart leaves out what two values begin with, so that what differs is seen.
func apart(a, b string) (analyzers.Untrusted, analyzers.Untrusted) {
	if len(a) <= brief && len(b) <= brief {
		return analyzers.Untrusted(a), analyzers.Untrusted(b)
	}
	const before = 20 // bytes of what is the same
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	if same -= before; same <= brief/2 {
		return briefly(a), briefly(b)
	}
	if space := strings.LastIndexByte(a[:same], ' '); space >= 0 {
		same = space + 1
	}
	for same > 0 && !utf8.RuneStart(a[same]) {
		same--
	}
	return "..." + briefly(a[same:]), "..." + briefly(b[same:])
}
