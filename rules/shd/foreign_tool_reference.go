package shd

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed foreign_tool_reference.md
var foreignToolReferencePage string

// ForeignToolReference flags texts that steer the use of another server's tool.
var ForeignToolReference = rules.Rule{
	ID:         "foreign-tool-reference",
	Title:      "Text of one server gives orders about a tool of another",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{1427, 441},
	Covers:     []string{"SHD-002"},
	Page:       foreignToolReferencePage,
	Beside:     true,
	Check:      checkForeignToolReference,
}

// longestText is how much of a text is read; a rule of its own speaks of longer
// ones.
const longestText = 64 << 10

func checkForeignToolReference(pass *rules.Pass) {
	for _, a := range agents(pass) {
		owners := map[string]owned{} // of the distinctive names
		a.tools(func(o owned) {
			if name := o.tool.Name.Raw(); distinctive(name) {
				if _, ok := owners[name]; !ok {
					owners[name] = o
				}
			}
		})
		if len(owners) == 0 {
			continue
		}
		for _, s := range a.servers {
			own := ownNames(s)
			reported := map[string]bool{}
			s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
				if f.Key || owner != nil && f.Path == "name" {
					return
				}
				text := f.Text.Raw()
				text = text[:min(len(text), longestText)]
				eachToken(text, func(start, end int) {
					name := text[start:end]
					other, ok := owners[name]
					if !ok || own[name] || other.server == s {
						return
					}
					severity := rules.Info
					if ordered(text, start, end) {
						severity = rules.High
					}
					who := "the instructions"
					tool := ""
					if owner != nil {
						who, tool = owner.Kind+` "`+owner.Name.String()+`"`, owner.Name.Raw()
					}
					key := tool + "\x00" + name + "\x00" + severity.String()
					if reported[key] {
						return
					}
					reported[key] = true
					verb := "mentions"
					if severity == rules.High {
						verb = "gives orders about"
					}
					finding := rules.OnServer(s, f.Text.At(start, end), name, "%s of server %q %s the tool %q, which belongs to server %q. Remove the sentence; a server speaks of its own tools.",
						who, s.Name, verb, other.tool.Name, other.server.Name)
					if severity == rules.Info {
						finding.Message = strings.TrimSuffix(finding.Message, "Remove the sentence; a server speaks of its own tools.") + "Check that the two belong together."
					}
					finding.Tool, finding.Severity = tool, severity
					related(&finding, other, "the tool that is named")
					pass.Report(finding)
				})
			})
		}
	}
}

// ownNames is what a server may speak of: its tools, their parameters, its prompts.
func ownNames(s *analyzers.Server) map[string]bool {
	own := map[string]bool{}
	for _, t := range s.Surface.Tools {
		own[t.Name.Raw()] = true
		for _, f := range t.Fields {
			if f.Key {
				own[f.Text.Raw()] = true
			}
		}
	}
	for _, p := range s.Surface.Prompts {
		own[p.Name.Raw()] = true
	}
	return own
}

// eachToken calls visit with every name in a text.
func eachToken(text string, visit func(start, end int)) {
	for i := 0; i < len(text); {
		if !nameByte(text[i]) {
			i++
			continue
		}
		start := i
		for i < len(text) && (nameByte(text[i]) || text[i] == '-' && i+1 < len(text) && nameByte(text[i+1])) {
			i++
		}
		if i-start >= shortestDistinctive {
			visit(start, i)
		}
	}
}

func nameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

const shortestDistinctive = 6

// distinctive reports whether a name is of several words, not all of which half
// of all servers use, or has a server's name in front ("files__read").
func distinctive(name string) bool {
	if len(name) < shortestDistinctive || len(name) > longestName {
		return false
	}
	words, own := 0, 0
	for i := 0; i < len(name); {
		if name[i] == '_' || name[i] == '-' {
			i++
			continue
		}
		start := i
		i++
		for i < len(name) && name[i] != '_' && name[i] != '-' && !(name[i] >= 'A' && name[i] <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z') {
			if !nameByte(name[i]) {
				return false
			}
			i++
		}
		words++
		if word := strings.ToLower(name[start:i]); !everyday()[word] && !everyday()[strings.TrimSuffix(word, "s")] {
			own++
		}
	}
	return words > 1 && (own > 0 || strings.Contains(name, "__"))
}

var everyday = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`get set list read write create update delete remove add search find fetch run execute exec call send query open close move copy edit make new show
		view load save start stop check test validate upload download import export sync scan browse navigate click take wait
		file directory folder path dir tree data item text content code command shell script process task user info status help page url web site link image document doc note
		message email mail issue comment branch commit repo repository pull request project database db table schema record row key value name id type all by from to with
		of in for and the tool resource prompt model context time date weather screenshot number multiple many batch detail result log history version metadata web memory entity
		graph node api http json`) {
		m[w] = true
	}
	return m
})

// ordered reports whether the sentence around a name tells what to do about it:
// that it must or must not be used, in what place, or with what changes.
func ordered(text string, start, end int) bool {
	const around = 240
	from, to := max(0, start-around), min(len(text), end+around)
	if i := strings.LastIndexAny(text[from:start], ".;!\n"); i >= 0 {
		from += i + 1
	}
	if i := strings.IndexAny(text[end:to], ".;!\n"); i >= 0 {
		to = end + i
	}
	sentence := " " + strings.ToLower(text[from:to]) + " "
	for _, order := range orders {
		if strings.Contains(sentence, order) {
			return true
		}
	}
	return false
}

var orders = []string{" must ", " always ", " never ", " do not ", " don't ", " instead of ", " rather than ", " shall ", " has to ", " have to ", " need to ", " before using", " before calling", " before you use", " before you call",
	" before each", " before every", " before any", " after each", " after every", " whenever ", " every time", " when using", " when calling", " when you call", " when you use", " if you call", " if you use",
	" ensure ", " make sure", " replaces ", " supersedes ", " deprecated", " is broken", " no longer ", " outdated", " only use ", " avoid ", " stop using", " disregard ", " ignore "}
