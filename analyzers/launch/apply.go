package launch

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// apply reads a program's options and operands for what they start.
func (r *resolver) apply(c *call) {
	l := r.launch
	if !c.row.quiet {
		for _, o := range c.opts {
			l.Flags = append(l.Flags, o.Flag)
		}
	}
	r.doubt(c.doubt)
	source := ""
	if c.has(registry) {
		source = "registry"
	}
	said := r.options(c, source)
	for _, o := range c.opts {
		d := &posix
		if c.row.dialect != nil {
			d = c.row.dialect
		}
		switch o.meaning {
		case line:
			r.shell(lineName(r.wrapper(c), c.row.tool, o.Name), o.Value, d)
			said |= ran
		case named:
			words, _ := Split(o.Value)
			r.aside(words)
		case encoded:
			text, ok := encodedCommand(o.Value)
			if !ok {
				r.doubt("the encoded command is not base64 of at most 64 KiB")
			}
			r.shell(r.wrapper(c)+" "+o.Name, text, d)
			said |= ran
		case command:
			if c.row.operand != shellLine {
				r.unwrap(r.wrapper(c), c.rest)
				return
			}
		case split:
			words, _ := Split(o.Value)
			c.rest = append(words, c.rest...)
		case module:
			r.started(c, o.Value.Raw(), append([]analyzers.Text{o.Value}, c.rest...), true)
			said |= ran
		}
	}
	if said&ran == 0 {
		r.operands(c, source, said&specified != 0)
	}
}

func lineName(name string, tool bool, option string) string {
	switch {
	case tool:
		return name
	case option == "--call":
		return name + " -c"
	}
	return name + " " + option
}

// What the options of a call already said.
const (
	ran       = 1 << iota // what is run: the operands are its arguments
	specified             // which package: the operand is a command
)

// options reads the values that name something by themselves.
func (r *resolver) options(c *call, source string) (said int) {
	l := r.launch
	for _, o := range c.opts {
		if o.Value.IsZero() {
			continue
		}
		switch o.meaning {
		case spec:
			r.add(c, source, o.Value)
			said |= specified
		case with:
			for _, t := range listed(c.row.ecosystem, o.Value) {
				r.add(c, source, t)
			}
		case code:
			l.Inline = o.Value
			said |= ran
		case script:
			l.Script = o.Value
			said |= ran
		case remote:
			l.Remotes = append(l.Remotes, o.Value)
		}
	}
	return said
}

// operands reads what follows the options.
func (r *resolver) operands(c *call, source string, specified bool) {
	l := r.launch
	rest := c.rest
	if c.row.skip > 0 {
		rest = rest[min(c.row.skip, len(rest)):]
	}
	switch c.row.operand {
	case nothing:
		return
	case shellLine:
		r.interpreter(c)
		return
	}
	if len(rest) > 0 && rest[0].Raw() == "--" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		if c.row.operand == container {
			r.doubt(c.name + " names no image")
		}
		return
	}
	word := rest[0].Raw()
	switch c.row.operand {
	case onePackage:
		r.fetch(c, source, rest, specified)
	case packages:
		for _, t := range rest {
			r.add(c, source, t)
		}
	case file:
		r.file(c, rest)
	case container:
		for i, t := range rest {
			if ref := ImageRef(t); ref.Repository != "" {
				l.Images = append(l.Images, ref)
				r.contained(c, rest[i+1:])
				return
			}
			if c.doubt == "" {
				break
			}
		}
		if variable(word) {
			r.doubt("image name comes from a variable")
			return
		}
		r.doubt("the operand of " + c.name + " is not an image reference")
	case contained:
		r.contained(c, rest)
	case inner:
		r.inner(c, rest)
	case project:
		r.project(c, rest)
	case endpoint:
		for _, t := range rest {
			if isURL(t.Raw()) || variable(t.Raw()) {
				l.Remotes = append(l.Remotes, t)
				return
			}
		}
	case proxied:
		if isURL(word) {
			l.Remotes = append(l.Remotes, rest[0])
		} else {
			r.unwrap(r.wrapper(c), rest)
		}
	case inlineCode:
		l.Inline = rest[0]
	case hosted:
		r.doubt(c.name + " looks the server up in a registry of its own")
	case workload:
		r.workload(c, rest[0])
	case flake:
		r.flake(rest[0])
	}
}

// add appends the package that a spec names.
func (r *resolver) add(c *call, source string, t analyzers.Text) (analyzers.PackageRef, bool) {
	ref := ParseSpec(c.row.ecosystem, t)
	for _, o := range c.opts {
		if o.meaning == version && ref.Version == "" && ref.Source == "" && ref.Name != "" {
			ref = build(ref.Ecosystem, ref.Name, o.Value.Raw())
			ref.Spec = t
		}
	}
	if ref.Name == "" && ref.Source == "" {
		switch {
		case variable(t.Raw()):
			r.doubt("package name comes from a variable")
		default:
			r.doubt("the package spec is none of " + c.row.ecosystem)
		}
		return ref, false
	}
	if ref.Source == "" {
		ref.Source = source
	}
	r.launch.Packages = append(r.launch.Packages, ref)
	return ref, true
}

// fetch reads the operands of a launcher that fetches a package and runs it.
func (r *resolver) fetch(c *call, source string, rest []analyzers.Text, specified bool) {
	if c.has(dash) { // pnpm dlx -c
		r.shell(r.wrapper(c)+" -c", join(rest), &posix)
		return
	}
	if specified {
		r.started(c, base(rest[0].Raw()), rest, true)
		return
	}
	// Behind an option that the table does not know, a word may be its value.
	if c.doubt != "" {
		for len(rest) > 1 && !plausible(rest[0].Raw()) {
			rest = rest[1:]
		}
	}
	word := rest[0].Raw()
	switch {
	case (c.row.ecosystem == "maven" || c.row.ecosystem == "deno") && isURL(word):
		r.launch.Remotes = append(r.launch.Remotes, rest[0])
		return
	case c.has(local), localSource(c.row.ecosystem, word):
		r.launch.Script = rest[0]
		return
	}
	if ref, ok := r.add(c, source, rest[0]); ok {
		r.started(c, ref.Name, rest, false)
	}
}

// localSource reports whether the operand of a launcher that builds from
// source is a file or directory.
func localSource(ecosystem, word string) bool {
	switch ecosystem {
	case "golang":
		host, _, _ := strings.Cut(word, "/")
		return !strings.Contains(word, "@") && (strings.HasSuffix(word, ".go") || strings.HasPrefix(word, ".") || !strings.Contains(host, "."))
	case "maven":
		return strings.Count(word, ":") < 2 && !strings.Contains(word, "@")
	}
	return false
}

// file reads the operands of an interpreter.
func (r *resolver) file(c *call, rest []analyzers.Text) {
	l := r.launch
	word := rest[0].Raw()
	if c.has(dash) {
		r.shell(r.wrapper(c)+" -c", rest[0], c.row.dialect)
		return
	}
	name := word[strings.LastIndexAny(word, `/\`)+1:]
	_, jsr := strings.CutPrefix(word, "jsr:")
	_, npm := strings.CutPrefix(word, "npm:")
	switch {
	case word == "-":
	case npm || jsr:
		ref := ParseSpec("deno", rest[0])
		if ref.Name == "" {
			r.doubt("package name comes from a variable")
			return
		}
		l.Packages = append(l.Packages, ref)
		r.started(c, ref.Name, rest, false)
	case isURL(word):
		l.Remotes = append(l.Remotes, rest[0])
	case name == "npx-cli.js" || name == "npm-cli.js":
		r.started(c, name[:3], rest, true)
	case (c.name == "bun" || c.name == "deno" || c.name == "bun run") && !fileLike(word):
		// a subcommand, or a script of package.json
	default:
		l.Script = rest[0]
		if i := strings.LastIndex(word, ".py:"); i > 0 { // server.py:app
			l.Script = rest[0].Slice(0, i+len(".py"))
		}
		if ref, ok := installed(rest[0]); ok {
			l.Packages = append(l.Packages, ref)
			r.started(c, ref.Name, rest, false)
		}
	}
}

// installed is the package that a path below node_modules belongs to.
func installed(path analyzers.Text) (analyzers.PackageRef, bool) {
	_, below, ok := cutLast(strings.ReplaceAll(path.Raw(), `\`, "/"), "node_modules/")
	if !ok || strings.HasPrefix(below, ".") {
		return analyzers.PackageRef{}, false
	}
	parts := strings.SplitN(below, "/", 3)
	name := parts[0]
	if strings.HasPrefix(name, "@") && len(parts) > 1 {
		name += "/" + parts[1]
	}
	ref := build("npm", name, "")
	ref.Spec, ref.Source = path, "path"
	return ref, ref.Name != ""
}

// contained reads the command that runs inside a container: what it fetches
// counts, its files are not those of this machine.
func (r *resolver) contained(c *call, words []analyzers.Text) {
	for _, o := range c.opts {
		if o.meaning == image && !o.Value.IsZero() {
			words = append([]analyzers.Text{o.Value}, words...)
		}
	}
	if len(words) == 0 {
		return
	}
	if match(base(words[0].Raw()), words[:1]) != nil {
		r.aside(words)
	}
}

// inner reads the operands of a wrapper.
func (r *resolver) inner(c *call, rest []analyzers.Text) {
	if c.row.needDash && !c.dashes {
		i := 0
		for i < len(rest) && rest[i].Raw() != "--" {
			i++
		}
		rest = rest[min(i+1, len(rest)):]
	}
	for len(rest) > 0 && (rest[0].Raw() == "-" || rest[0].Raw() == "~" || rest[0].Raw() == "") {
		rest = rest[1:] // env -, wsl ~, start ""
	}
	// Behind an option that the table does not know, a word may be its value.
	if c.doubt != "" {
		for i := range min(len(rest), 8) {
			if match(base(rest[i].Raw()), rest[i:i+1]) != nil {
				rest = rest[i:]
				break
			}
		}
	}
	r.unwrap(r.wrapper(c), rest)
}

// project reads the operands of a launcher that runs a project's own
// commands, which only the project can tell.
func (r *resolver) project(c *call, rest []analyzers.Text) {
	word := rest[0].Raw()
	program := base(word)
	switch {
	case c.has(dash):
		r.shell(r.wrapper(c)+" -c", join(rest), &posix)
	case c.has(isModule):
		r.started(c, word, rest, true)
	case isURL(word):
		r.launch.Remotes = append(r.launch.Remotes, rest[0])
	case c.has(isScript), strings.HasSuffix(program, ".py"), strings.HasSuffix(program, ".pyw"):
		r.launch.Script = rest[0]
	case match(program, rest) != nil:
		r.unwrap(r.wrapper(c), rest)
	case strings.ContainsAny(word, `/\`):
		r.launch.Script = rest[0]
	case variable(word):
		r.doubt("command comes from a variable")
	}
}

// interpreter reads the rest of a command line that cmd or PowerShell takes as
// one line.
func (r *resolver) interpreter(c *call) {
	name := r.wrapper(c)
	asked := false
	for _, o := range c.opts {
		if o.meaning == command {
			asked = true
			name += " " + o.Name
		}
	}
	switch {
	case len(c.rest) == 0:
		return
	case !asked && base(c.name) == "cmd":
		return // an interactive session
	case !asked && scriptPath(c.rest[0].Raw()):
		r.launch.Script = c.rest[0]
		return
	case len(c.rest) == 1:
		r.shell(name, c.rest[0], c.row.dialect)
		return
	}
	// Written as a list, words that are an operator end a command.
	r.launch.Shell = true
	var commands [][]analyzers.Text
	from := 0
	for i, t := range c.rest {
		switch t.Raw() {
		case "&&", "||", "|", "&", ";":
			if i > from {
				commands = append(commands, c.rest[from:i])
			}
			from = i + 1
		}
		if len(commands) == maxCommands {
			r.doubt("more than 32 commands in one shell line")
			from = len(c.rest)
			break
		}
	}
	if from > 0 {
		r.launch.Inline = join(c.rest)
	}
	if from < len(c.rest) {
		commands = append(commands, c.rest[from:])
	}
	r.list(name, commands)
}

// workload reads what ToolHive runs: scheme://package, an image, a URL or a
// name in its registry.
func (r *resolver) workload(c *call, t analyzers.Text) {
	word := t.Raw()
	for _, s := range [...]struct{ scheme, ecosystem string }{{"npx://", "npm"}, {"uvx://", "pypi"}, {"go://", "golang"}} {
		if strings.HasPrefix(word, s.scheme) {
			ref := ParseSpec(s.ecosystem, t.Slice(len(s.scheme), len(word)))
			if ref.Name == "" && ref.Source == "" {
				r.doubt("package name comes from a variable")
				return
			}
			r.launch.Packages = append(r.launch.Packages, ref)
			return
		}
	}
	switch ref := ImageRef(t); {
	case isURL(word):
		r.launch.Remotes = append(r.launch.Remotes, t)
	case ref.Repository != "" && strings.ContainsAny(word, "/:@"):
		r.launch.Images = append(r.launch.Images, ref)
	default:
		r.doubt(c.name + " looks the server up in a registry of its own")
	}
}

// flake reads a Nix flake reference as far as it names a repository:
// github:owner/repo[/ref][#attribute].
func (r *resolver) flake(t analyzers.Text) {
	word, _, _ := strings.Cut(t.Raw(), "#")
	word, _, _ = strings.Cut(word, "?")
	if path, ok := strings.CutPrefix(word, "github:"); ok {
		parts := strings.SplitN(path, "/", 3)
		if len(parts) >= 2 && !variable(path) {
			at := ""
			if len(parts) == 3 {
				at = parts[2]
			}
			ref := gitRef("https://github.com/"+parts[0]+"/"+parts[1], at)
			ref.Spec = t
			r.launch.Packages = append(r.launch.Packages, ref)
			return
		}
	}
	if strings.HasPrefix(word, ".") || strings.HasPrefix(word, "/") {
		r.launch.Script = t
		return
	}
	r.doubt("the flake reference is resolved by Nix")
}
