package capability

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// tool builds a tool from a name, a description and its parameters.
func tool(name, description string, params ...string) *analyzers.Tool {
	text := func(s string) analyzers.Text {
		if s == "" {
			return analyzers.Text{}
		}
		src := &analyzers.Source{Bytes: []byte(s)}
		return analyzers.Text{Value: analyzers.Untrusted(s), Span: src.Span(0, len(s))}
	}
	t := &analyzers.Tool{Item: analyzers.Item{Kind: "tool", Name: text(name), Description: text(description)}}
	for _, p := range params {
		t.Fields = append(t.Fields, analyzers.Field{Path: "inputSchema.properties." + p, Key: true, Text: text(p)})
	}
	return t
}

// list writes facts as "label/object", without what writes: most acts do.
func list(facts []Fact) string {
	var out []string
	for _, f := range facts {
		if f.Label != Writes {
			out = append(out, fmt.Sprintf("%s/%s", f.Label, f.Object))
		}
	}
	return strings.Join(out, " ")
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		tool *analyzers.Tool
		want string
	}{
		// Names, in every spelling.
		{tool("read_file", ""), "reads-private/file"},
		{tool("readFile", ""), "reads-private/file"},
		{tool("files.read", ""), "reads-private/file"},
		{tool("GetHTTPRequest", ""), ""},
		{tool("list-api-keys", ""), "reads-private/secret"},
		{tool("slack_get_channel_history", ""), "reads-private/chat untrusted-content/chat"},
		{tool("pull_request_read", ""), "untrusted-content/issue"},
		{tool("issue_write", ""), "reaches-out/issue"},
		{tool("email_customer", ""), "reaches-out/mail"},
		{tool("post_user_name", ""), ""},
		{tool("delete_record", ""), "destroys/"},
		{tool("force_push", ""), "destroys/"},
		{tool("check_deletes", ""), ""},
		{tool("comment_delete", ""), "destroys/issue"},
		{tool("git_push", ""), "reaches-out/git"},
		{tool("add", ""), ""},
		{tool("add_collaborator", ""), "changes-rights/right"},
		{tool("get_permission", ""), ""},
		{tool("transfer_funds", ""), "pays/money"},
		{tool("transfer_ownership", ""), ""},

		// Sentences: the first verb, those joined to it, and their objects.
		{tool("x", "Reads, writes and deletes files."), "reads-private/file destroys/file"},
		{tool("x", "This tool allows an agent to send an email to a customer"), "reaches-out/mail"},
		{tool("x", "Search for messages in a channel"), "reads-private/chat untrusted-content/chat"},
		{tool("x", "Fetches a URL from the internet"), "untrusted-content/web reaches-out/http"},
		{tool("x", "Get a user by email."), ""},
		{tool("x", "Converts a file to another format."), ""},
		{tool("x", "Counts words. Deletes files."), ""},
		{tool("x", "Get the weather\nReads the inbox"), ""},
		{tool("x", "Email reading tool"), "reads-private/mail untrusted-content/mail"},
		{tool("x", "Creates a chart of payments"), ""},
		{tool("x", "Borra el archivo"), ""},

		// Limits.
		{tool("x", "Never sends mail."), ""},
		{tool("x", "Does not delete files; lists them"), ""},
		{tool("x", "Executes a read-only SQL query"), "reads-private/database"},
		{tool("x", "Deletes files in read-only mode"), ""},
		{tool("delete_preview", ""), ""},
		{tool("validate_delete_request", ""), ""},
		{tool("x", "Lists branches without reading the files"), "reads-private/git"},
		{tool("get_commit_message", ""), ""},

		// Parameters.
		{tool("read", "", "file_path"), "reads-private/file"},
		{tool("get_component", "", "path"), ""},
		{tool("read_branch", "", "path"), "reads-private/git"},
		{tool("scrape", "", "pageUrl"), "untrusted-content/web reaches-out/http"},
		{tool("create_bookmark", "", "url"), ""},
		{tool("crawl_docs", ""), "untrusted-content/web"},
		{tool("x", "Opens a URL in the browser"), "untrusted-content/web reaches-out/http"},
		{tool("run", "", "cmd"), "executes/shell"},
		{tool("evaluate", "Evaluates it.", "code"), "executes/code"},
		{tool("list", "", "cmd"), ""},
		{tool("send", "", "to", "body"), "reaches-out/mail"},
		{tool("send", "", "amount"), "pays/money"},
		{tool("run", "", "sql"), "reads-private/database"},
	} {
		if got := list(Of(c.tool)); got != c.want {
			t.Errorf("%q, %q, %d parameters: %q, want %q", c.tool.Name, c.tool.Description, len(c.tool.Fields), got, c.want)
		}
	}
}

func TestEvidence(t *testing.T) {
	for _, c := range []struct {
		tool *analyzers.Tool
		want string
	}{
		{tool("my_read_big_file_v2", ""), "name read_big_file"},
		{tool("x", "Please reads all of the FILES there."), "description reads all of the FILES"},
		{tool("read", "", "path"), "inputSchema.properties.path path"},
		{tool("file_delete", ""), "name delete"},
	} {
		facts := Of(c.tool)
		if len(facts) == 0 {
			t.Errorf("%q: no fact", c.tool.Name)
			continue
		}
		f := facts[0]
		if got := f.Field.Path + " " + f.Evidence().Raw(); got != c.want {
			t.Errorf("%q: %q, want %q", c.tool.Name, got, c.want)
		}
		if string(f.Span().Raw()) != f.Evidence().Raw() {
			t.Errorf("%q: the span holds %q", c.tool.Name, f.Span().Raw())
		}
	}
}

func TestAnnotations(t *testing.T) {
	for annotations, want := range map[string]string{
		`{"destructiveHint": true}`:                       "destroys/",
		`{"destructiveHint": true, "readOnlyHint": true}`: "",
		`{"destructiveHint": false}`:                      "",
		`{"destructiveHint": "yes"}`:                      "",
		`{"destructiveHint": true`:                        "",
	} {
		x := tool("x", "")
		x.Annotations = []byte(annotations)
		facts := Of(x)
		if got := list(facts); got != want || got != "" && !facts[0].Claimed() {
			t.Errorf("%s: %q, want %q", annotations, got, want)
		}
	}
}

func TestNarrow(t *testing.T) {
	for name, want := range map[string]bool{
		"calculator": true, "add_two_numbers": true, "getCurrentTime": true, "weather-mcp-server": true, "rollDice": true,
		"get": false, "": false, "add_user": false, "calculate_folder_size": false, "time_entries": false, "numbers": false,
		strings.Repeat("add_", 99): false,
	} {
		if got := Narrow(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestInDescription(t *testing.T) {
	x := tool("x", "Adds numbers. It never reads mails.\nReads files. Then runs a command")
	facts := InDescription(x)
	if got := list(facts); got != "reads-private/file executes/shell" {
		t.Errorf("got %q", got)
	}
	if got := string(facts[0].Span().Raw()); got != "Reads files" {
		t.Errorf("the span holds %q", got)
	}
	if got := len(InDescription(tool("x", strings.Repeat("Adds. ", maxSentences)+"Reads files."))); got != 0 {
		t.Errorf("more than %d sentences were read", maxSentences)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("readFile", "Reads, writes & deletes files; don't send.", "url")
	f.Add("pull_request_read-only", "É read-only read only and, and or", "shell_command")
	f.Add("aB'c", "don't' (force push)", "")
	f.Fuzz(func(t *testing.T, name, description, param string) {
		x := tool(name, description, param)
		for _, facts := range [][]Fact{Of(x), InName(x), InDescription(x), Asks(x)} {
			for _, fact := range facts {
				if fact.Start < 0 || fact.End < fact.Start || fact.End > len(fact.Field.Text.Value) || fact.Label == "" {
					t.Fatalf("%+v", fact)
				}
			}
		}
		Narrow(name)
		OnlyLooks(description, true)
	})
}

func BenchmarkOf(b *testing.B) {
	x := tool("get_file_contents", strings.Repeat("Gets the contents of a file in a repository of the forge, at a branch. ", 2), "owner", "repo", "path", "ref")
	b.ReportAllocs()
	for b.Loop() {
		Of(x)
	}
}

// BenchmarkNothing is a tool without any ability that is known.
func BenchmarkNothing(b *testing.B) {
	x := tool("resolve_library", strings.Repeat("Resolves the identifier of a library in a catalogue of known ones, with versions. ", 2), "name")
	b.ReportAllocs()
	for b.Loop() {
		Of(x)
	}
}

// TestLexicon: a word that stands twice would lose its first meaning.
func TestLexicon(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range entries {
		for word := range strings.FieldsSeq(e.words) {
			if seen[word] {
				t.Errorf("%q stands twice", word)
			}
			seen[word] = true
			if strings.ToLower(word) != word || len(word) > 2*maxWord || strings.Count(word, "_") > 1 {
				t.Errorf("%q is found by no text", word)
			}
		}
	}
}
