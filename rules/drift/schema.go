package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
)

// judgeSchema classifies a change of a schema or of a prompt's arguments.
func judgeSchema(out *Change, p manifest.Pair, d manifest.Delta) {
	out.Class, out.Severity = Text, rules.Low
	where := analyzers.Untrusted(d.Field())
	out.Reason = fmt.Sprintf("%q has changed", where)
	output := d.Path[0] == "outputSchema"
	switch {
	case len(d.Path) == 1:
		judgeWhole(out, d)
	case isParam(d.Path):
		judgeParam(out, d)
	case d.Path[0] == "arguments":
		judgeArgument(out, d)
	default:
		judgeKeyword(out, d)
	}
	if output && out.Class != Poisoned { // what a tool answers widens nothing that it is given
		out.Class, out.Severity = Text, rules.Low
	}
	if o, ok := suspectValue(p, d); ok {
		out.object(o)
	}
}

// judgeArgument is for an argument of a prompt.
func judgeArgument(out *Change, d manifest.Delta) {
	name := analyzers.Untrusted(cmp.Or(d.New, d.Old).Get("name").Str())
	switch {
	case len(d.Path) > 2:
		out.Reason = fmt.Sprintf("%q of an argument has changed", analyzers.Untrusted(d.Key()))
	case d.Op == manifest.Added:
		out.Class, out.Reason = Expanding, fmt.Sprintf("the prompt takes %q, which it did not", name)
	case d.Op == manifest.Removed:
		out.Class, out.Reason = Narrowing, fmt.Sprintf("the prompt no longer takes %q", name)
	}
}

func isParam(path []string) bool { return len(path) > 1 && path[len(path)-2] == "properties" }

func judgeWhole(out *Change, d manifest.Delta) {
	named := members(d.Old.Get("properties")) > 0
	switch {
	case d.Op == manifest.Added:
		out.Class, out.Severity, out.Reason = Expanding, rules.Low, d.Path[0]+" was not there"
	case d.New.IsObject():
		out.Class, out.Severity, out.Reason = Expanding, rules.Low, d.Path[0]+" says something now, where it said nothing"
	case named:
		out.Class, out.Severity, out.Reason = Expanding, rules.High, d.Path[0]+" is gone: nothing limits what the tool is given"
	default:
		out.Class, out.Severity, out.Reason = Text, rules.Low, d.Path[0]+" says nothing any more, and named no input before"
	}
}

func members(n *tree.Node) int {
	if !n.IsObject() {
		return 0
	}
	return len(n.Children)
}

// judgeParam is for a parameter that came, went or is no object any more.
func judgeParam(out *Change, d manifest.Delta) {
	name := analyzers.Untrusted(d.Key())
	switch d.Op {
	case manifest.Added:
		out.Class, out.Severity, out.Reason = Expanding, rules.Low, fmt.Sprintf("the tool takes %q, which it did not", name)
		if requires(d.InNew, d.Key()) {
			out.Severity, out.Reason = rules.Medium, fmt.Sprintf("the tool demands %q, which it did not take before", name)
		}
	case manifest.Removed:
		out.Class, out.Severity, out.Reason = Narrowing, rules.Low, fmt.Sprintf("the tool no longer takes %q", name)
	default:
		out.Class, out.Severity, out.Reason = Expanding, rules.Medium, fmt.Sprintf("%q takes something else", name)
	}
}

func requires(schema *tree.Node, name string) bool {
	list := schema.Get("required")
	return list.IsArray() && slices.ContainsFunc(list.Children, func(n *tree.Node) bool { return n.Str() == name })
}

// judgeKeyword is for a keyword of JSON Schema with its value.
func judgeKeyword(out *Change, d manifest.Delta) {
	at := analyzers.Untrusted(strings.Join(d.Path[1:len(d.Path)-1], "."))
	set := func(class Class, severity rules.Severity, format string, args ...any) {
		out.Class, out.Severity, out.Reason = class, severity, fmt.Sprintf(format, args...)
		if at != "" {
			out.Reason = fmt.Sprintf("%q: %s", at, out.Reason)
		}
	}
	free := d.InNew != nil && !closed(d.InNew)
	switch key := d.Key(); key {
	case "enum", "const":
		added, gone := elements(d)
		switch {
		case d.Op == manifest.Added:
			set(Narrowing, rules.Info, "only some values are taken now")
		case d.Op == manifest.Removed && free:
			set(Expanding, rules.High, "any value is taken, where a list said which")
		case d.Op == manifest.Removed:
			set(Expanding, rules.Low, "a list of values is gone and something else limits them")
		case len(added) > 0 && slices.ContainsFunc(added, powerful):
			set(Expanding, rules.High, "it takes a value that names a stronger act: %s", list(added))
		case len(added) > 0:
			set(Expanding, rules.Low, "it takes more values: %s", list(added))
		case len(gone) > 0:
			set(Narrowing, rules.Info, "it takes fewer values; gone: %s", list(gone))
		default:
			set(Cosmetic, rules.Info, "the values have another order")
		}
	case "pattern", "format":
		switch {
		case d.Op == manifest.Added:
			set(Narrowing, rules.Info, "a %s limits it now", key)
		case d.Op == manifest.Removed && free || key == "pattern" && anything(d.New.Str()):
			set(Expanding, rules.High, "no %s limits it any more", key)
		default:
			set(Expanding, rules.Medium, "another %s limits it", key)
		}
	case "maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties", "maxContains":
		judgeLimit(d, set, 1)
	case "minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties", "multipleOf", "minContains":
		judgeLimit(d, set, -1)
	case "additionalProperties", "unevaluatedProperties":
		was, is := open(d.Old), open(d.New)
		switch {
		case !was && is && d.New == nil && len(d.Path) > 2:
			set(Expanding, rules.Medium, "an object inside takes members that the schema does not name")
		case !was && is:
			set(Expanding, rules.High, "it takes members that the schema does not name")
		case was && !is:
			set(Narrowing, rules.Info, "it takes no members that the schema does not name")
		default:
			set(Cosmetic, rules.Info, "%s says the same in another way", key)
		}
	case "required":
		added, gone := elements(d)
		switch {
		case len(gone) > 0:
			set(Expanding, rules.Low, "no longer required: %s", list(gone))
		case len(added) > 0:
			set(Text, rules.Low, "required now: %s", list(added))
		default:
			set(Cosmetic, rules.Info, "the required members have another order")
		}
	case "type":
		was, is := types(d.Old), types(d.New)
		switch wider := difference(is, was); {
		case d.New == nil && (d.InNew.Get("anyOf") != nil || d.InNew.Get("oneOf") != nil):
			set(Expanding, rules.Low, "its type is one of several now")
		case d.New == nil && free:
			set(Expanding, rules.High, "it takes a value of any type")
		case d.Old == nil:
			set(Narrowing, rules.Low, "its type is said now: %s", strings.Join(is, ", "))
		case slices.Contains(wider, "string") && free, slices.Contains(wider, "object") && free:
			set(Expanding, rules.High, "it takes free %s now, where it took %s", strings.Join(wider, ", "), strings.Join(was, ", "))
		case len(wider) > 0:
			set(Expanding, rules.Medium, "it takes more types: %s", strings.Join(wider, ", "))
		default:
			set(Narrowing, rules.Info, "it takes fewer types")
		}
	case "default":
		judgeDefault(d, set)
	case "$ref", "$dynamicRef", "$schema", "$id":
		set(Text, rules.Low, "%s has changed", key)
		if is := strings.ToLower(d.New.Str()); key != "$schema" && strings.Contains(is, "://") && !strings.Contains(is, "json-schema.org") {
			set(Expanding, rules.High, "the schema is taken from %q", cut(d.New.Str()))
		}
	case "uniqueItems":
		set(Expanding, rules.Low, "repeated items are treated in another way")
	case "x-mcp-header":
		set(Expanding, rules.High, "the value is copied to an HTTP header, where others on the way read it")
	case "items", "not", "if", "then", "else", "contains", "propertyNames", "dependentRequired", "prefixItems", "anyOf", "oneOf", "allOf":
		judgePart(d, set)
	default:
		if strings.HasPrefix(key, "[") {
			judgePart(d, set)
			return
		}
		set(Text, rules.Low, "%s has changed", analyzers.Untrusted(key))
	}
}

// judgePart is for a schema inside of a schema that came or went.
func judgePart(d manifest.Delta, set func(Class, rules.Severity, string, ...any)) {
	key := d.Key()
	if strings.HasPrefix(key, "[") {
		key = d.Path[max(len(d.Path)-2, 0)]
	}
	alternative := key == "anyOf" || key == "oneOf"
	switch {
	case d.Op == manifest.Added && alternative && strings.HasPrefix(d.Key(), "["):
		set(Expanding, rules.Low, "it takes another form, too")
	case d.Op == manifest.Added:
		set(Narrowing, rules.Info, "%s limits it now", analyzers.Untrusted(key))
	case d.Op == manifest.Removed && alternative && strings.HasPrefix(d.Key(), "["):
		set(Narrowing, rules.Info, "it takes one form less")
	case d.Op == manifest.Removed && d.InNew != nil && !closed(d.InNew):
		set(Expanding, rules.Medium, "%s no longer limits it", analyzers.Untrusted(key))
	default:
		set(Expanding, rules.Medium, "%s has changed", analyzers.Untrusted(key))
	}
}

func judgeLimit(d manifest.Delta, set func(Class, rules.Severity, string, ...any), wider float64) {
	was, errWas := strconv.ParseFloat(plain(d.Old), 64)
	is, errIs := strconv.ParseFloat(plain(d.New), 64)
	key := d.Key()
	const much = 8
	switch {
	case d.Op == manifest.Added:
		set(Narrowing, rules.Info, "%s limits it now", key)
	case d.Op == manifest.Removed && key == "maxLength":
		set(Expanding, rules.High, "text of any length is taken, where %s was the limit", cut(d.Old.Text.Raw()))
	case d.Op == manifest.Removed:
		set(Expanding, rules.Medium, "%s no longer limits it", key)
	case errWas != nil || errIs != nil:
		set(Expanding, rules.Medium, "%s has changed", key)
	case (is-was)*wider < 0:
		set(Narrowing, rules.Info, "%s is tighter", key)
	case key == "maxLength" && is >= was*much:
		set(Expanding, rules.High, "text of up to %v signs is taken, where %v was the limit", is, was)
	default:
		set(Expanding, rules.Low, "%s is looser", key)
	}
}

// judgeDefault is for what is sent where nobody says anything.
func judgeDefault(d manifest.Delta, set func(Class, rules.Severity, string, ...any)) {
	set(Text, rules.Low, "another value is taken where none is given")
	name := strings.Join(wordsOf(named(d.Path[max(len(d.Path)-2, 0)])), " ")
	was, is := plain(d.Old), plain(d.New)
	switch {
	case is == "" && d.New == nil:
		set(Text, rules.Low, "there is no default any more")
	case is == "false" && oneOf(name, "dry", "confirm", "safe", "sandbox", "verify", "verification", "check", "draft", "preview", "private", "readonly", "read", "ask", "prompt", "interactive", "restrict", "isolated", "redact", "mask", "encrypt", "secure", "tls", "ssl", "validate", "approval"),
		is == "true" && oneOf(name, "force", "recursive", "overwrite", "delete", "public", "share", "auto", "skip", "unsafe", "allow", "yes", "insecure", "disable", "admin", "bypass", "silent", "all", "hidden", "quiet", "no", "send", "upload", "sync", "execute", "include"):
		if was != is {
			set(Expanding, rules.High, "where nothing is said it is %s now: a guard is off by default", is)
		}
	}
}

// oneOf reports whether a name has one of the words.
func oneOf(name string, words ...string) bool {
	for w := range strings.FieldsSeq(name) {
		if slices.Contains(words, w) {
			return true
		}
	}
	return false
}

// closed reports whether a schema says which values it takes.
func closed(n *tree.Node) bool {
	if n.Get("enum") != nil || n.Get("const") != nil || n.Get("pattern") != nil || n.Get("$ref") != nil {
		return true
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if list := n.Get(key); list.IsArray() && len(list.Children) > 0 {
			return !slices.ContainsFunc(list.Children, func(c *tree.Node) bool { return !closed(c) && c.Get("type").Str() != "null" && !limitedType(c) })
		}
	}
	return limitedType(n)
}

// limitedType reports whether a schema takes no text: numbers and truth values,
// lists of what is closed, objects whose members are named.
func limitedType(n *tree.Node) bool {
	switch n.Get("type").Str() {
	case "boolean", "integer", "number", "null":
		return true
	case "array":
		return n.Get("items").IsObject() && closed(n.Get("items"))
	}
	return false
}

func open(n *tree.Node) bool {
	return n == nil || n.Kind == tree.Object || plain(n) != "false"
}

func anything(pattern string) bool {
	switch strings.Trim(pattern, "^$()") {
	case "", ".*", ".+", ".", `[\s\S]*`, `[\s\S]+`, `[^]*`, `.{0,}`, `.{1,}`, "(?s).*":
		return true
	}
	return false
}

// elements are what came to a list and what went, as they are written.
func elements(d manifest.Delta) (added, gone []string) {
	of := func(n *tree.Node) []string {
		if n == nil {
			return nil
		}
		if !n.IsArray() {
			return []string{whole(n)}
		}
		var out []string
		for _, c := range n.Children {
			out = append(out, whole(c))
		}
		return out
	}
	was, is := of(d.Old), of(d.New)
	return difference(is, was), difference(was, is)
}

func difference(a, b []string) []string {
	set := map[string]bool{}
	for _, s := range b {
		set[s] = true
	}
	var out []string
	for _, s := range a {
		if !set[s] {
			out = append(out, s)
		}
	}
	return out
}

func types(n *tree.Node) []string {
	if n == nil {
		return nil
	}
	if n.IsArray() {
		var out []string
		for _, c := range n.Children {
			out = append(out, c.Str())
		}
		return out
	}
	return []string{n.Str()}
}

const mostListed = 8

func list(values []string) string {
	var out []string
	for _, v := range values[:min(len(values), mostListed)] {
		out = append(out, fmt.Sprintf("%q", cut(v)))
	}
	if more := len(values) - mostListed; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// powerful reports whether a value of a list names a stronger act.
func powerful(value string) bool {
	return oneOf(strings.Join(wordsOf(named(value)), " "), "exec", "execute", "shell", "eval", "sudo", "admin", "root", "owner", "superuser", "wipe", "purge", "format", "destroy", "drop", "truncate", "raw", "unsafe", "bypass", "public", "everyone", "force", "wildcard", "credentials", "secrets", "password", "passwords")
}

// judgeOther is for what no part covers: _meta, icons, unknown members.
func judgeOther(out *Change, d manifest.Delta) {
	out.Class, out.Severity, out.Reason = Text, rules.Low, fmt.Sprintf("%q has changed", analyzers.Untrusted(d.Field()))
	if len(d.Path) > 0 && d.Path[0] == "icons" {
		out.Severity, out.Reason = rules.Info, "the icon has changed"
	}
	if d.Key() == "mimeType" || d.Key() == "uri" {
		out.Severity = rules.Medium
	}
}

// plain is a scalar as it is spelt, "" for everything else.
func plain(n *tree.Node) string {
	if n == nil || n.IsObject() || n.IsArray() {
		return ""
	}
	return n.Text.Raw()
}

// suspectValue judges the strings that a change of a schema brings: the name
// and texts of a new parameter, new values, a new default.
func suspectValue(p manifest.Pair, d manifest.Delta) (objection, bool) {
	if d.New == nil {
		return objection{}, false
	}
	had := map[string]bool{}
	d.Old.Walk(func(_ string, n *tree.Node) bool {
		if n.IsString() {
			had[n.Text.Raw()] = true
		}
		return true
	})
	var best suspicion
	evidence := ""
	var judged *objection
	try := func(x suspicion, said string) {
		if x.weight > best.weight {
			best, evidence = x, said
		}
	}
	argument := d.Path[0] == "arguments" && len(d.Path) == 2
	if d.Op == manifest.Added && (isParam(d.Path) && d.Path[0] == "inputSchema" || argument) {
		name := named(d.Key())
		if argument {
			name = named(d.New.Get("name").Str())
		}
		said := name + " " + d.New.Get("title").Str() + " " + d.New.Get("description").Str()
		try(suspicionOf(said, argument || !closed(d.New)), d.Key()+": "+d.New.Get("description").Str())
		try(givenAway(name), d.Key())
	}
	d.New.Walk(func(path string, n *tree.Node) bool {
		if n.IsString() && !had[n.Text.Raw()] {
			text := n.Text.Raw()
			if hides(text) {
				try(suspicion{weight: suspectAt, signs: map[sign]bool{conceal: true}}, text)
			}
			if o, ok := suspectText(nil, analyzers.Text{}, analyzers.Text{Value: n.Text.Value}); ok && judged == nil {
				judged = &o
			}
			for _, s := range sentences(text) {
				try(suspicionOf(text[s.start:s.end], false), text[s.start:s.end])
			}
			if key := n.Key.Raw(); (key == "default" || key == "const" || d.Key() == "default" || d.Key() == "const" || d.Key() == "enum" || strings.HasPrefix(path, "enum") || strings.HasPrefix(path, "default")) && d.Path[0] == "inputSchema" && sendsTo(text) {
				try(suspicion{weight: suspectAt, signs: map[sign]bool{recipient: true}}, text)
			}
		}
		return true
	})
	if best.weight < suspectAt && judged != nil {
		judged.span = d.Span
		return *judged, true
	}
	if best.weight < suspectAt {
		return objection{}, false
	}
	return objection{span: d.Span, severity: rules.High, reason: fmt.Sprintf("what the schema now says %s: %q", best.why(), cut(evidence))}, true
}

// sendsTo reports whether a value is the address of somebody: of a person, a
// host, or a place outside of the working directory.
func sendsTo(s string) bool {
	low := strings.ToLower(s)
	switch {
	case strings.Contains(low, "example.com"), strings.Contains(low, "example.org"), strings.Contains(low, "localhost"), strings.Contains(low, "127.0.0.1"):
		return false
	case strings.Contains(low, "://"), addressed(low):
		return true
	}
	for _, start := range []string{"~/", "/etc/", "/root/", "/home/", "c:\\", "$home", "%userprofile%"} {
		if strings.HasPrefix(low, start) {
			return true
		}
	}
	return false
}

// givenAway weighs a parameter's name alone: some things no tool is honestly
// given all of a sudden.
func givenAway(name string) suspicion {
	x := suspicion{signs: map[sign]bool{}}
	words := strings.Join(wordsOf(name), " ")
	for _, w := range []string{"conversation", "transcript", "chat history", "message history", "history", "system prompt", "prompt", "user prompt", "chat", "dialog", "dialogue", "reasoning", "thoughts", "thinking", "chain of thought", "session context", "agent context", "model context", "conversation context", "full context", "user context", "task context", "bcc", "exfil"} {
		if words == w || strings.HasPrefix(words, w+" ") || strings.HasSuffix(words, " "+w) {
			x.signs[ambient], x.weight = true, suspectAt
		}
	}
	for _, w := range []string{"credential", "credentials", "password", "passwd", "api key", "apikey", "private key", "secret", "secrets", "access token", "auth token", "bearer token", "session cookie", "cookies", "ssh key", "environment", "env vars", "env", "seed phrase", "otp", "pin"} {
		if words == w || strings.HasPrefix(words, w+" ") || strings.HasSuffix(words, " "+w) {
			x.signs[precious], x.weight = true, suspectAt
		}
	}
	return x
}
