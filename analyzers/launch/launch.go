// Package launch takes a command line apart: which packages, images and URLs
// it really starts, behind which wrappers. It reads no file and asks no
// network. The launchers are rows of a table (table.go), so that one more is
// one more row.
package launch

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

const (
	maxDepth   = 4        // commands inside commands
	maxRuns    = 64       // commands of one launch
	maxEncoded = 64 << 10 // bytes of an encoded command
)

// Resolve takes a command line apart. argv[0] is the command; a command that
// is a whole line in one string goes through Split first. Every text of the
// answer points into the file that argv points into. It is nil for an empty
// argv.
func Resolve(argv []analyzers.Text) *analyzers.Launch {
	if len(argv) == 0 {
		return nil
	}
	l := &analyzers.Launch{Argv: argv}
	r := resolver{launch: l, runs: new(int)}
	r.run(argv)
	return l
}

// resolver follows one command line through its wrappers into launch.
type resolver struct {
	launch *analyzers.Launch
	depth  int
	runs   *int   // commands read so far, shared with asides
	host   string // the launcher that fetched the program that is read now
}

// doubt keeps the first reason: later ones follow from it.
func (r *resolver) doubt(reason string) {
	if r.launch.Ambiguous == "" {
		r.launch.Ambiguous = reason
	}
}

// deeper reports whether one more level may be read.
func (r *resolver) deeper() bool {
	if r.depth >= maxDepth {
		r.doubt("wrapped more than 4 commands deep")
		return false
	}
	return true
}

// run reads a command line: words[0] is the command.
func (r *resolver) run(words []analyzers.Text) {
	for len(words) > 0 && assignment(words[0].Raw()) {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	if *r.runs++; *r.runs > maxRuns {
		r.doubt("more than 64 commands")
		return
	}
	name := words[0].Raw()
	program := base(name)
	r.launch.Inner, r.launch.Program = words, printable(program)
	if c := match(program, words); c != nil {
		r.host = ""
		r.apply(c)
		return
	}
	switch {
	case variable(name):
		r.doubt("command comes from a variable")
	case scriptPath(name):
		r.launch.Script = words[0]
	}
}

// unwrap reads the command inside a wrapper; it becomes the launch's program.
func (r *resolver) unwrap(name string, words []analyzers.Text) {
	if len(words) == 0 || !r.deeper() {
		return
	}
	r.launch.Wrappers = append(r.launch.Wrappers, name)
	r.depth++
	r.run(words)
	r.depth--
}

// aside reads a command beside the launch's program.
func (r *resolver) aside(words []analyzers.Text) *analyzers.Launch {
	l := &analyzers.Launch{}
	if r.deeper() {
		sub := resolver{launch: l, depth: r.depth + 1, runs: r.runs}
		sub.run(words)
		r.doubt(l.Ambiguous)
		r.launch.Packages = append(r.launch.Packages, l.Packages...)
		r.launch.Images = append(r.launch.Images, l.Images...)
		r.launch.Remotes = append(r.launch.Remotes, l.Remotes...)
	}
	return l
}

// started reads the program that a launcher fetched, when the table knows it.
// The launcher stays the launch's program unless that one is a wrapper.
func (r *resolver) started(by *call, program string, words []analyzers.Text, any bool) {
	c := match(program, words)
	if c == nil || !any && !c.row.tool || !r.deeper() {
		return
	}
	outer := r.host
	r.host = r.wrapper(by)
	r.depth++
	r.apply(c)
	r.depth--
	r.host = outer
}

func (r *resolver) wrapper(c *call) string {
	if r.host == "" {
		return c.name
	}
	return r.host + " " + c.name
}

// match finds the row of a program and reads its options; nil without a row.
func match(program string, words []analyzers.Text) *call {
	key := program
	if _, ok := rows()[key]; !ok && !programs()[key] {
		key = strings.TrimRight(key, "0123456789.") // python3.11
	}
	if programs()[key] {
		c := &call{}
		g := &grammar{}
		if global, ok := globals[key]; ok {
			g = global()
		}
		g.scan(c, words[1:])
		for n := min(3, len(c.rest)); n > 0; n-- {
			if sub := subcommand(c.rest[:n]); sub != "" {
				if row, ok := rows()[key+" "+sub]; ok {
					c.row, c.name = row, program+" "+sub
					rest := c.rest[n:]
					c.rest, c.dashes = nil, false
					row.grammar().scan(c, rest)
					return c
				}
			}
		}
	}
	row, ok := rows()[key]
	if !ok {
		return nil
	}
	c := &call{row: row, name: program}
	row.grammar().scan(c, words[1:])
	return c
}

func subcommand(words []analyzers.Text) string {
	parts := make([]string, len(words))
	for i, w := range words {
		if len(w.Raw()) > 16 {
			return ""
		}
		parts[i] = strings.ToLower(w.Raw())
	}
	return strings.Join(parts, " ")
}

// base is the name of a program: without its directories, of either kind, and
// without the extension that Windows adds; lower case.
func base(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if len(name) > 64 {
		return name
	}
	name = strings.ToLower(name)
	for _, ext := range [...]string{".exe", ".cmd", ".bat", ".ps1", ".com"} {
		if cut, ok := strings.CutSuffix(name, ext); ok && cut != "" {
			return cut
		}
	}
	return name
}

// assignment reports whether a shell would take the word as NAME=value.
func assignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	if !ok || name == "" || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !letter(name[i]) && name[i] != '_' && (name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return true
}

// shell reads a line as an interpreter would.
func (r *resolver) shell(name string, text analyzers.Text, d *dialect) {
	r.launch.Shell = true
	if r.launch.Inline.IsZero() {
		r.launch.Inline = text
	}
	s := splitter{line: text, dialect: *d}
	s.run(maxCommands)
	switch {
	case s.open:
		r.doubt("a quote is not closed")
	case s.dynamic:
		r.doubt("the shell line holds a command substitution")
	case s.cut:
		r.doubt("more than 32 commands in one shell line")
	}
	r.list(name, s.commands)
}

// list reads the simple commands of a line. The first that starts a program
// is the launch's own; what the others start is added.
func (r *resolver) list(name string, commands [][]analyzers.Text) {
	first := -1
	for i, words := range commands {
		for len(words) > 0 && (keywords.Has(words[0].Raw()) || assignment(words[0].Raw())) {
			words = words[1:]
		}
		commands[i] = words
		if len(words) == 0 {
			continue
		}
		switch program := words[0].Raw(); {
		case program == "eval" || program == "source" || program == ".":
			r.doubt("the shell line runs text that is not in it")
		case first < 0 && !builtins.Has(program):
			first = i
		}
	}
	if first < 0 && len(commands) > 0 {
		first = 0
	}
	for i, words := range commands {
		if i == first {
			r.unwrap(name, words)
			continue
		}
		if len(words) == 0 || builtins.Has(words[0].Raw()) {
			continue
		}
		l := r.aside(words)
		r.launch.Flags = append(r.launch.Flags, l.Flags...)
		if r.launch.Script.IsZero() {
			r.launch.Script = l.Script
		}
	}
}

// keywords introduce a command in a shell's grammar; builtins start nothing.
var (
	keywords = pattern.Words("if then elif else while until do { ! time")
	builtins = pattern.Words("cd pushd popd export set unset . source : true false echo printf test [ [[ ulimit umask alias " +
		"for case in esac fi done } return exit shift trap wait local declare typeset readonly eval setlocal endlocal rem @echo chcp shopt cls sleep mkdir")
)

// encodedCommand decodes PowerShell's -EncodedCommand: base64 of UTF-16LE.
func encodedCommand(value analyzers.Text) (analyzers.Text, bool) {
	raw := strings.TrimRight(value.Raw(), "=")
	if raw == "" || len(raw) > maxEncoded {
		return value, false
	}
	b, err := base64.RawStdEncoding.DecodeString(raw)
	if err != nil {
		return value, false
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	t := analyzers.Text{Value: analyzers.Untrusted(utf16.Decode(units)), Span: value.Span}
	if !t.Span.IsZero() {
		t.Map = opaque(len(t.Value), t.Span)
	}
	return t, true
}
