package pkg

import "testing"

func TestKnown(t *testing.T) {
	if n := len(known().list["npm"]) + len(known().list["pypi"]); n < 150 {
		t.Errorf("%d names", n)
	}
	// No known name may imitate another.
	for ecosystem, names := range known().list {
		for _, k := range names {
			name := k.name
			if model, how := imitated(ecosystem, name); model != "" {
				t.Errorf("%s imitates %s (%s)", name, model, how)
			}
			if model := twin(name); model != "" {
				t.Errorf("%s is a twin of %s", name, model)
			}
		}
	}
}

func TestResemblance(t *testing.T) {
	for _, test := range []struct{ name, known, want string }{
		{"firecrwal-mcp", "firecrawl-mcp", "letters swapped"},
		{"firecrawll-mcp", "firecrawl-mcp", "a letter too many"},
		{"firecraw-mcp", "firecrawl-mcp", "a letter left out"},
		{"firecravl-mcp", "firecrawl-mcp", "another letter"},
		{"fire-crawl-mcp", "firecrawl-mcp", "separators moved"},
		{"f1recraw1-mcp", "firecrawl-mcp", "characters that look alike"},
		{"mcp-server-stack", "mcp-server-slack", ""},
		{"mcp-server-gist", "mcp-server-git", ""},
		{"context8-mcp", "context7-mcp", ""},
		{"firecrawl-mcp", "firecrawl-mcp", ""},
		{"fierecrwal-mcp", "firecrawl-mcp", ""},
		{"", "mcp-remote", ""},
		{"mcp", "mcpo", ""},
	} {
		if got := resemblance(spell(test.name), spell(test.known)); got != test.want {
			t.Errorf("%s ~ %s: got %q, want %q", test.name, test.known, got, test.want)
		}
	}
}

func TestAffects(t *testing.T) {
	a := advisory{since: "0.0.5", fixed: "0.1.16"}
	for version, want := range map[string]bool{
		"0.0.4": false, "0.0.5": true, "0.1.15": true, "v0.1.9": true, "0.1.16-rc.1": true, "0.1.16": false, "0.1.16+b": false, "0.1.16.post1": false,
		"0.1.16rc1": true, "0.2": false, "0.1": true, "1": false, "latest": false, "": false, "99999999999999999999.1": false,
	} {
		if got := a.affects(version); got != want {
			t.Errorf("%s: got %v", version, got)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"@m0delcontextprotocol/server-x", "mcp-remot", "@/", "@a", "", "m\u043ep"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		imitated("npm", name)
		twin(name)
		borrowed(name)
		disguised(name)
		parseVersion(name)
	})
}
