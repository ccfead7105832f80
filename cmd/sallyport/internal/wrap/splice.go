package wrap

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// parts are the nodes of a declaration that hold its command line: command and
// args, or command alone where that is the whole list.
type parts struct{ command, args *tree.Node }

// find finds them, and says why a declaration cannot be edited.
func find(d *clientconfig.Declaration) (p parts, why string) {
	n := d.Node
	if inner := n.Get("command"); inner.IsObject() { // {"command": {"path": ..., "args": [...]}}
		n = inner
	} else if inner := n.Get("transport"); inner.IsObject() {
		n = inner
	}
	for _, child := range n.Children {
		var into **tree.Node
		switch child.Key.Raw() {
		case "command", "cmd", "path":
			into = &p.command
		case "args", "arguments":
			into = &p.args
		default:
			continue
		}
		if *into != nil {
			return p, "its command line stands there twice"
		}
		*into = child
	}
	switch {
	case p.command == nil || !p.command.IsString() && !p.command.IsArray():
		return p, "its command is written in a way that is not edited"
	case n.Alias || p.command.Alias || p.args != nil && p.args.Alias:
		return p, "its command line is an alias of another place"
	case p.command.IsArray() && p.args != nil:
		return p, "it has a list as command and arguments beside it"
	case p.args != nil && !p.args.IsArray() && p.args.Kind != tree.Null:
		return p, "its arguments are no list"
	}
	list := p.args
	if p.command.IsArray() {
		list = p.command
	}
	if list != nil {
		for _, child := range list.Children {
			if child.IsObject() || child.IsArray() || child.Alias {
				return p, "its arguments are not all plain texts"
			}
		}
	}
	return p, ""
}

// wrap puts the shim in front of a declaration's command line.
func (e *editor) wrap(d *clientconfig.Declaration, shim Shim) (why string) {
	p, why := find(d)
	if why != "" {
		return why
	}
	command := d.Server.Command.Raw()
	switch {
	case command == "":
		return "its command is empty"
	case strings.ContainsAny(command, "$%") || strings.Contains(command, "{env:") || strings.Contains(command, "{{"):
		return "its command holds a variable, which its client may replace only there"
	case strings.HasPrefix(command, "~"):
		return "its command begins with ~, which its client may replace only there"
	case strings.ContainsAny(command, "|&;<>`\n"), p.command.IsString() && len(d.Server.Args) == 0 && strings.ContainsAny(strings.TrimSpace(command), " \t"):
		return "its command is a whole line for a shell; write the command and its arguments apart"
	}
	name := d.Server.Name.Raw()
	if name == "" {
		name = "server"
	}
	before := shim.before(name)
	if p.command.IsArray() {
		e.prepend(p.command, append([]string{shim.Path}, before...), "")
		return ""
	}
	raw := e.token(p.command)
	e.splice(p.command.Span.Start, p.command.Span.End, e.quote(shim.Path)+e.trailing(p.command))
	switch {
	case p.args != nil && p.args.IsArray():
		e.prepend(p.args, before, raw)
	case p.args != nil:
		e.splice(p.args.Span.Start, p.args.Span.End, e.list(before, raw))
	default:
		e.member(p.command, "args", e.list(before, raw))
	}
	return ""
}

// unwrap takes it out again.
func (e *editor) unwrap(d *clientconfig.Declaration) (why string) {
	p, why := find(d)
	if why != "" {
		return why
	}
	const head = 8 // run --mode M --registry R --name N --
	if p.command.IsArray() {
		e.drop(p.command, head+1)
		return ""
	}
	e.splice(p.command.Span.Start, p.command.Span.End, e.token(p.args.Children[head])+e.trailing(p.command))
	e.drop(p.args, head+1)
	return ""
}

// quote writes a text in quotes as JSON, TOML and YAML read it alike.
func (e *editor) quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r <= 0xffff && analyzers.Hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// token is a text as it stands in the file, where it may stand elsewhere in it
// as well, and in quotes otherwise.
func (e *editor) token(n *tree.Node) string {
	raw := strings.TrimRight(string(n.Span.Raw()), " \r\n")
	plain := raw == n.Text.Raw()
	switch {
	case n.Kind != tree.String || strings.ContainsAny(raw, "\r\n"),
		e.format == tree.YAML && plain && strings.ContainsAny(raw, ",[]{}&*!|>%@`#:'\""),
		e.format == tree.YAML && !plain && raw[0] != '"' && raw[0] != '\'':
		return e.quote(n.Text.Raw())
	}
	return raw
}

// trailing is the line break that a value in several lines of YAML ends with.
func (e *editor) trailing(n *tree.Node) string {
	raw := string(n.Span.Raw())
	return raw[len(strings.TrimRight(raw, "\r\n")):]
}

// list writes a list on one line; raw is the last element as it is written,
// "" for none.
func (e *editor) list(words []string, raw string) string {
	return "[" + e.elements(words, raw) + "]"
}

func (e *editor) elements(words []string, raw string) string {
	var out []string
	for _, w := range words {
		out = append(out, e.quote(w))
	}
	if raw != "" {
		out = append(out, raw)
	}
	return strings.Join(out, ", ")
}

// prepend puts elements in front of a list.
func (e *editor) prepend(n *tree.Node, words []string, raw string) {
	if e.inFlow(n) {
		if len(n.Children) == 0 {
			at := n.Span.Start + 1
			e.splice(at, at, e.elements(words, raw))
			return
		}
		at := n.Children[0].Span.Start
		e.splice(at, at, e.elements(words, raw)+", ")
		return
	}
	// "- x" at the beginning of a line: each element gets a line like that.
	at, lead := e.dash(n.Children[0])
	var b strings.Builder
	for _, w := range words {
		b.WriteString(lead + e.quote(w) + e.newline)
	}
	if raw != "" {
		b.WriteString(lead + raw + e.newline)
	}
	e.splice(at, at, b.String())
}

// drop takes the first count elements out of a list.
func (e *editor) drop(n *tree.Node, count int) {
	first := n.Children[0].Span.Start
	switch {
	case e.inFlow(n) && count == len(n.Children):
		e.splice(first, n.Children[count-1].Span.End, "")
	case e.inFlow(n):
		e.splice(first, n.Children[count].Span.Start, "")
	case count == len(n.Children):
		start, _ := e.dash(n.Children[0])
		e.splice(start, e.lineEnd(n.Children[count-1].Span.End), strings.Repeat(" ", first-start)+"[]"+e.newline)
	default:
		start, _ := e.dash(n.Children[0])
		end, _ := e.dash(n.Children[count])
		e.splice(start, end, "")
	}
}

// dash finds the line of an element of a YAML list in block style: where it
// begins, and what stands in it before the element.
func (e *editor) dash(n *tree.Node) (start int, lead string) {
	start = bytes.LastIndexByte(e.src[:n.Span.Start], '\n') + 1
	lead = string(e.src[start:n.Span.Start])
	return start, lead[:strings.LastIndexByte(lead, '-')+1] + " "
}

func (e *editor) inFlow(n *tree.Node) bool {
	return e.format != tree.YAML || n.Span.Start < len(e.src) && e.src[n.Span.Start] == '['
}

// member writes a new member of the same object behind another one.
func (e *editor) member(after *tree.Node, key, value string) {
	end := after.Span.End
	lineStart := bytes.LastIndexByte(e.src[:after.KeySpan.Start], '\n') + 1
	lead := string(e.src[lineStart:after.KeySpan.Start])
	switch {
	case e.format == tree.JSONC || e.format == tree.JSON:
		e.splice(end, end, ", "+e.quote(key)+": "+value)
	case strings.ContainsAny(lead, "{,"): // a map in braces
		e.splice(end, end, ", "+key+map[bool]string{true: " = ", false: ": "}[e.format == tree.TOML]+value)
	case e.format == tree.TOML: // lead is white space, or the front of a dotted key
		e.line(end, lead+key+" = "+value)
	default: // the first member of a list's element stands behind its dash
		e.line(end, strings.Repeat(" ", len(lead))+key+": "+value)
	}
}

// line inserts a line behind the one in which an offset lies.
func (e *editor) line(at int, text string) {
	at = e.lineEnd(at)
	if at > 0 && e.src[at-1] != '\n' {
		e.splice(at, at, e.newline+text)
		return
	}
	e.splice(at, at, text+e.newline)
}

func (e *editor) lineEnd(at int) int {
	if at > 0 && e.src[at-1] == '\n' {
		return at
	}
	if i := bytes.IndexByte(e.src[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(e.src)
}
