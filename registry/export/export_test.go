package export_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/registry/export"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const today = "2026-11-22"

func load(t *testing.T) *registry.Registry {
	t.Helper()
	content, err := os.ReadFile("testdata/registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := registry.Load(&analyzers.Source{Path: "registry.yaml", Bytes: content}, today)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTargets compares every target with its golden file: what is written, and
// below a line what the target cannot express.
func TestTargets(t *testing.T) {
	r := load(t)
	for _, target := range export.Targets {
		t.Run(target.Name, func(t *testing.T) {
			got, err := export.Write(target, r, registry.Who{Roles: []string{"lead"}}, today)
			if err != nil {
				t.Fatal(err)
			}
			form(t, target.Name, got.Bytes)
			whole := string(got.Bytes) + "-- not expressed --\n" + strings.Join(got.Missing, "\n") + "\n"
			golden := filepath.Join("testdata", target.Name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(whole), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != whole {
				t.Errorf("%v: got\n%s", err, whole)
			}
			// What is not decided, has run out, is denied or is for others is in
			// no list of what is allowed.
			for _, never := range []string{"p@1.0.0", "old@1.0.0", "theirs@1.0.0", `"serverName"`} {
				if bytes.Contains(got.Bytes, []byte(never)) {
					t.Errorf("%q is exported", never)
				}
			}
			// Every approved entry is exported or said to be left out.
			for _, e := range r.Doc.Servers {
				d := r.Decide(e.Match.Identity(), registry.Who{Roles: []string{"lead"}}, "", today)
				if !d.Allowed || d.Entry != e {
					continue
				}
				said := false
				for _, line := range got.Missing {
					if strings.HasPrefix(line, "left out") {
						ids := line[strings.LastIndex(line, ": ")+2:]
						said = said || strings.Contains(", "+ids+",", ", "+e.ID+",")
					}
				}
				named := false
				whole := strings.Join(strings.Fields(string(got.Bytes)), "")
				if len(e.Match.Argv) > 0 { // arguments in front of the command, perhaps as a regular expression
					named = strings.Contains(strings.NewReplacer(`\`, "", `/^`, "", `$/`, "").Replace(whole), strings.Join(strings.Fields(`"args":"`+strings.Join(e.Match.Argv[1:], " ")+`","command":"`+e.Match.Argv[0]+`"`), ""))
				}
				for _, part := range []string{e.ID, strings.Join(e.Match.Argv, " "), registry.NormalURL(e.Match.URL), strings.TrimSuffix(registry.NormalURL(e.Match.URL), "*"), `"` + strings.Join(e.Match.Argv, `","`) + `"`, strings.ReplaceAll(e.ID, "_", "-")} {
					named = named || part != "" && part != `""` && strings.Contains(whole, strings.Join(strings.Fields(part), ""))
				}
				if e.ID != "files" && !said && !named {
					t.Errorf("%s is dropped silently", e.ID)
				}
			}
		})
	}
}

// form reads the output back with another reader of its format.
func form(t *testing.T, name string, content []byte) {
	t.Helper()
	var err error
	var v any
	switch name {
	case "codex":
		err = toml.Unmarshal(content, &v)
	case "docker", "kubernetes":
		dec := yaml.NewDecoder(bytes.NewReader(content))
		for err == nil {
			err = dec.Decode(&v)
		}
		if err.Error() == "EOF" {
			err = nil
		}
	default:
		err = json.Unmarshal(content, &v)
	}
	if err != nil {
		t.Errorf("not well formed: %v\n%s", err, content)
	}
}

// TestEmpty: a registry that approves nothing allows nothing.
func TestEmpty(t *testing.T) {
	r, _, err := registry.Load(registry.New("r.yaml"), today)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range export.Targets {
		got, err := export.Write(target, r, registry.Who{}, today)
		if err != nil || len(got.Bytes) == 0 || len(got.Missing) != 0 {
			t.Errorf("%s: %v %q", target.Name, err, got.Missing)
		}
		form(t, target.Name, got.Bytes)
	}
}

// TestNearerApproval: an approval that is nearer than a denial is exported
// without the denial, which would win in the target.
func TestNearerApproval(t *testing.T) {
	r, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte(`{apiVersion: sallyport/v1, kind: Registry, units: [{id: labs}], servers: [
		{id: no, match: {argv: [npx, a@1.0.0]}, status: denied}, {id: labs, match: {argv: [npx, a@1.0.0]}, status: approved, units: [labs]}]}`)}, today)
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]string{
		"":     `{"allowManagedMcpServersOnly":true,"allowedMcpServers":[],"deniedMcpServers":[{"serverCommand":["npx","a@1.0.0"]}]}`,
		"labs": `{"allowManagedMcpServersOnly":true,"allowedMcpServers":[{"serverCommand":["npx","a@1.0.0"]}]}`,
	} {
		got, err := export.Write(export.Targets[0], r, registry.Who{Unit: who}, today)
		if err != nil {
			t.Fatal(err)
		}
		var small bytes.Buffer
		if err := json.Compact(&small, got.Bytes); err != nil || small.String() != want {
			t.Errorf("%q: %s", who, small.String())
		}
	}
}
