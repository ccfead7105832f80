package launch

import (
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// meaning is what an option's value is to the reading of a command line. In
// the table it follows the option's name after a colon.
type meaning string

const (
	plain    meaning = ""         // a value that names nothing to run
	spec     meaning = "spec"     // a package; the operand is then a command
	with     meaning = "with"     // a package beside the one that the operand names
	line     meaning = "line"     // a shell line
	code     meaning = "code"     // a program in the interpreter's own language
	encoded  meaning = "encoded"  // base64 of a UTF-16LE program
	module   meaning = "module"   // a module that is run: the rest is its command line
	script   meaning = "script"   // a file that is run
	command  meaning = "command"  // the value and everything after it is a command
	split    meaning = "split"    // words, put in front of what follows
	remote   meaning = "remote"   // a URL that is connected to
	registry meaning = "registry" // where packages come from
	version  meaning = "version"  // of the package that the operand names
	image    meaning = "image"    // what is run inside an image
	pair     meaning = "pair"     // two values; the first is kept
	named    meaning = "named"    // two values: a name and a shell line
	dash     meaning = "dash"     // a switch: the operand is a shell line
	isModule meaning = "modules"  // a switch: the operand is a module
	isScript meaning = "scripts"  // a switch: the operand is a script
	local    meaning = "local"    // a switch: the package is a directory
)

// style is how a program departs from getopt_long(3).
type style uint8

const (
	swallow  style = 1 << iota // an unknown --flag takes the next word (npm, npx)
	oneDash                    // -name is one option, not a cluster (go, java, nix)
	folded                     // names in any case and cut short (PowerShell)
	slashed                    // options begin with a slash (cmd)
	anywhere                   // options may follow operands
	lenient                    // unknown options are switches: the program has hundreds, all written --name=value
	terminal                   // code, a module or a script ends the options (python, java)
)

// option is one option of a command line, with its meaning.
type option struct {
	analyzers.Flag
	meaning meaning
}

type rule struct {
	name    string // canonical
	value   bool
	meaning meaning
}

// grammar is the options of one program: every spelling leads to its rule.
type grammar struct {
	rules map[string]rule
	style style
}

// newGrammar reads the table's notation: options are separated by spaces, the
// spellings of one by commas, the canonical one last: "-e,--env -c,--call:line".
func newGrammar(values, switches string, s style) *grammar {
	g := &grammar{map[string]rule{}, s}
	for i, list := range [...]string{values, switches} {
		for field := range strings.FieldsSeq(list) {
			spellings, m, _ := strings.Cut(field, ":")
			names := strings.Split(spellings, ",")
			for _, n := range names {
				g.rules[n] = rule{names[len(names)-1], i == 0, meaning(m)}
			}
		}
	}
	return g
}

// call is a program's command line after its options were read.
type call struct {
	row    row
	name   string // as in Launch.Wrappers
	opts   []option
	rest   []analyzers.Text // from the first operand on
	dashes bool             // "--" ended the options
	doubt  string
}

// has reports whether an option with the meaning was given.
func (c *call) has(m meaning) bool {
	return slices.ContainsFunc(c.opts, func(o option) bool { return o.meaning == m })
}

func (c *call) doubtful(reason string) {
	if c.doubt == "" {
		c.doubt = reason
	}
}

func (c *call) unknown(name string) {
	c.doubtful("unknown flag " + printable(name))
}

// scan reads options up to the first operand, or all of them when they may
// follow operands.
func (g *grammar) scan(c *call, args []analyzers.Text) {
	var operands []analyzers.Text
	for i := 0; i < len(args); i++ {
		word := args[i].Raw()
		if word == "--" {
			c.dashes = true
			c.rest = append(operands, args[i+1:]...)
			return
		}
		if !g.isOption(word) {
			if g.style&anywhere == 0 {
				c.rest = args[i:]
				return
			}
			operands = append(operands, args[i])
			continue
		}
		last := len(c.opts)
		taken := g.read(c, args[i:])
		i += taken
		for _, o := range c.opts[last:] {
			switch {
			case o.meaning == command && taken > 0:
				c.rest = args[i:] // from the value on
				return
			case o.meaning == command:
				if !o.Value.IsZero() {
					c.rest = append(c.rest, o.Value)
				}
				c.rest = append(c.rest, args[i+1:]...)
				return
			case o.meaning == module, g.style&terminal != 0 && (o.meaning == code || o.meaning == script):
				c.rest = args[i+1:]
				return
			}
		}
	}
	c.rest = operands
}

func (g *grammar) isOption(word string) bool {
	if g.style&slashed != 0 {
		return len(word) > 1 && word[0] == '/'
	}
	return len(word) > 1 && word[0] == '-'
}

// read reads the option args[0] and returns how many of the following words
// are its values.
func (g *grammar) read(c *call, args []analyzers.Text) int {
	at := args[0]
	word := at.Raw()
	name, _, hasValue := strings.Cut(word, "=")
	r, known := g.lookup(name)
	if !known && len(word) > 2 && word[1] != '-' && g.style&(oneDash|folded|slashed|swallow) == 0 {
		return g.cluster(c, args)
	}
	if !known {
		r = rule{name: printable(name)}
		if g.style&lenient == 0 {
			c.unknown(name)
		}
		if g.style&swallow != 0 && !hasValue && len(args) > 1 && !strings.HasPrefix(args[1].Raw(), "-") {
			r.value = true
		}
	}
	o := option{analyzers.Flag{Name: r.name, At: at}, r.meaning}
	taken := 0
	switch {
	case hasValue:
		o.Value = at.Slice(len(name)+1, len(word))
	case r.value && len(args) > 1:
		o.Value, taken = args[1], 1
		if (r.meaning == pair || r.meaning == named) && len(args) > 2 {
			taken = 2
			if r.meaning == named {
				o.Value = args[2]
			}
		}
	}
	c.opts = append(c.opts, o)
	return taken
}

// cluster reads short options in one word: -it, -p8080:80, -uroot.
func (g *grammar) cluster(c *call, args []analyzers.Text) int {
	at := args[0]
	word := at.Raw()
	for i := 1; i < len(word); i++ {
		r, known := g.rules["-"+word[i:i+1]]
		if !known {
			if g.style&lenient == 0 {
				c.unknown("-" + word[i:i+1])
			}
			return 0
		}
		o := option{analyzers.Flag{Name: r.name, At: at}, r.meaning}
		taken := 0
		if r.value {
			if i+1 < len(word) {
				o.Value = at.Slice(i+1, len(word))
			} else if len(args) > 1 {
				o.Value, taken = args[1], 1
			}
		}
		c.opts = append(c.opts, o)
		if r.value {
			return taken
		}
	}
	return 0
}

func (g *grammar) lookup(name string) (rule, bool) {
	if g.style&(folded|slashed) == 0 {
		r, ok := g.rules[name]
		return r, ok
	}
	if len(name) > 32 {
		return rule{}, false
	}
	name = strings.ToLower(name)
	if r, ok := g.rules[name]; ok || g.style&folded == 0 {
		return r, ok
	}
	// PowerShell takes any prefix that is not ambiguous; the least name makes
	// the choice among those left the same every time.
	var best rule
	found := ""
	for spelling, r := range g.rules {
		if strings.HasPrefix(spelling, name) && (found == "" || spelling < found) {
			best, found = r, spelling
		}
	}
	return best, found != ""
}

// printable is hostile text for a message: escaped and cut short.
func printable(s string) string {
	const limit = 80
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return analyzers.Untrusted(s).String()
}
