// Package wrap edits client configurations so that every stdio server is
// started through the shim, and back. It splices bytes at the places of the
// command and its arguments: comments, order and layout stay. It is pure; what
// it wrote is read back and compared before anybody sees it.
package wrap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// Shim is how servers are started: PATH run --mode MODE --registry REGISTRY
// --name NAME -- COMMAND ARGS.
type Shim struct {
	Path     string // absolute
	Mode     string // observe, warn or enforce
	Registry string // absolute
}

func (s Shim) before(name string) []string {
	return []string{"run", "--mode", s.Mode, "--registry", s.Registry, "--name", name, "--"}
}

// Wrapped takes a command line apart that Wrap wrote.
func Wrapped(argv []string) (inner []string, ok bool) {
	const head = 9 // PATH run --mode M --registry R --name N --
	if len(argv) <= head || argv[1] != "run" || argv[2] != "--mode" || argv[4] != "--registry" || argv[6] != "--name" || argv[8] != "--" {
		return nil, false
	}
	return argv[head:], true
}

// throughShim reports whether a command line starts the shim in any way.
func throughShim(argv []string) bool {
	if _, ok := Wrapped(argv); ok {
		return true
	}
	base := strings.TrimSuffix(argv[0][strings.LastIndexAny(argv[0], `/\`)+1:], ".exe")
	return base == "sallyport-shim" || base == "sallyport" && len(argv) > 1 && argv[1] == "run"
}

// State is what is done about one server.
type State string

const (
	Changed State = "changed"
	Already State = "already" // it is as it is asked for
	Remote  State = "remote"  // there is no command to wrap
	Left    State = "left"    // it cannot be edited safely, or was not asked for
)

// Item is one server of a file. Before and After are command lines; After is
// nil unless it changes.
type Item struct {
	Name          string
	State         State
	Why           string // of Left; a clause, text of the file only in escaped form
	Span          analyzers.Span
	Before, After []string
}

// Choose says whether a server is meant, by its name.
type Choose func(name string) bool

// Wrap returns the file with its servers wrapped, and what was done to each.
// The error is of a file that cannot be read.
func Wrap(src *analyzers.Source, shim Shim, choose Choose) ([]byte, []Item, error) {
	return edit(src, func(d *clientconfig.Declaration, e *editor) Item {
		s := d.Server
		item := newItem(d)
		switch {
		case s.Command.IsZero() && !s.URL.IsZero():
			item.State = Remote
		case s.Command.IsZero():
			item.leave("it names no command")
		case throughShim(item.Before):
			item.State = Already
		case !choose(item.Name):
			item.leave("not chosen")
		case s.Disabled:
			item.leave("it is disabled")
		case !s.URL.IsZero():
			item.leave("it has a command and a URL, and clients differ in which they take")
		default:
			if why := e.wrap(d, shim); why != "" {
				item.leave(why)
				break
			}
			item.State = Changed
			item.After = append(append([]string{shim.Path}, shim.before(item.Name)...), item.Before...)
		}
		return item
	})
}

// Unwrap returns the file with the servers that Wrap changed as they were.
func Unwrap(src *analyzers.Source, choose Choose) ([]byte, []Item, error) {
	return edit(src, func(d *clientconfig.Declaration, e *editor) Item {
		item := newItem(d)
		inner, ok := Wrapped(item.Before)
		switch {
		case d.Server.Command.IsZero() && !d.Server.URL.IsZero():
			item.State = Remote
		case len(item.Before) > 0 && !ok && throughShim(item.Before):
			item.leave("its line through the shim was not written by init; edit it by hand")
		case !ok:
			item.State = Already
		case !choose(item.Name):
			item.leave("not chosen")
		default:
			if why := e.unwrap(d); why != "" {
				item.leave(why)
				break
			}
			item.State, item.After = Changed, inner
		}
		return item
	})
}

func newItem(d *clientconfig.Declaration) Item {
	s := d.Server
	item := Item{Name: s.Name.Raw(), State: Left, Span: s.KeySpan}
	if item.Name == "" {
		item.Name = "server"
	}
	if !s.Command.IsZero() {
		item.Before = []string{s.Command.Raw()}
		for _, a := range s.Args {
			item.Before = append(item.Before, a.Raw())
		}
	}
	return item
}

func (i *Item) leave(why string) { i.State, i.Why = Left, why }

// edit applies one change to each server, all at once or, where reading back
// shows that one goes wrong, one by one without that one.
func edit(src *analyzers.Source, change func(*clientconfig.Declaration, *editor) Item) ([]byte, []Item, error) {
	declared, err := clientconfig.Declarations(src)
	if err != nil {
		return nil, nil, err
	}
	failed := map[int]bool{}
	try := func(only int) ([]byte, []Item, bool) {
		e := &editor{src: src.Bytes, format: notation(src.Path), newline: "\n"}
		if strings.Contains(string(src.Bytes), "\r\n") {
			e.newline = "\r\n"
		}
		var items []Item
		for i := range declared {
			kept := len(e.splices)
			item := change(&declared[i], e)
			if failed[i] && item.State == Changed {
				item.leave("this layout cannot be edited by a program; edit it by hand")
				item.After = nil
			}
			if item.State != Changed || only >= 0 && only != i {
				e.splices = e.splices[:kept]
			}
			items = append(items, item)
		}
		out := e.result()
		return out, items, same(declared, items, &analyzers.Source{Path: src.Path, Bytes: out}, only)
	}
	if out, items, ok := try(-1); ok {
		return out, items, nil
	}
	for i := range declared {
		if _, _, ok := try(i); !ok {
			failed[i] = true
		}
	}
	out, items, ok := try(-1)
	if !ok {
		return nil, nil, fmt.Errorf("%s has a layout that cannot be edited by a program", analyzers.Untrusted(src.Path))
	}
	return out, items, nil
}

// notation is that of the file, whose Markdown has a head of YAML.
func notation(path string) tree.Format {
	if strings.HasSuffix(strings.ToLower(path), ".md") {
		return tree.YAML
	}
	return tree.FormatOf(path)
}

// same reads a changed file back: it declares what it declared before, with
// the command lines that the items ask for.
func same(before []clientconfig.Declaration, items []Item, src *analyzers.Source, only int) bool {
	after, err := clientconfig.Declarations(src)
	if err != nil || len(after) != len(before) {
		return false
	}
	for i := range after {
		want := items[i].Before
		if items[i].State == Changed && (only < 0 || only == i) {
			want = items[i].After
		}
		if !slices.Equal(newItem(&after[i]).Before, want) || rest(before[i].Server) != rest(after[i].Server) {
			return false
		}
	}
	return true
}

// rest is everything of a server but its command line.
func rest(s *analyzers.Server) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q %q %v", s.Name.Raw(), s.Transport, s.URL.Raw(), s.Cwd.Raw(), s.Disabled)
	for _, list := range [][]analyzers.Var{s.Env, s.Headers} {
		for _, v := range list {
			fmt.Fprintf(&b, " %q=%q", v.Name.Raw(), v.Value.Raw())
		}
		b.WriteByte(';')
	}
	for _, v := range s.Settings {
		fmt.Fprintf(&b, " %q=%q", v.Path, v.Value.Raw())
	}
	return b.String()
}

// editor collects replacements of a file's bytes.
type editor struct {
	src     []byte
	format  tree.Format
	newline string
	splices []splice
}

type splice struct {
	start, end int
	text       string
}

func (e *editor) splice(start, end int, text string) {
	e.splices = append(e.splices, splice{start, end, text})
}

func (e *editor) result() []byte {
	slices.SortStableFunc(e.splices, func(a, b splice) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	var out []byte
	at := 0
	for _, s := range e.splices {
		if s.start < at {
			continue // overlapping edits: reading back will tell
		}
		out = append(append(out, e.src[at:s.start]...), s.text...)
		at = s.end
	}
	return append(out, e.src[at:]...)
}
