package packages

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func read(content string) (*analyzers.Catalog, error) {
	var c analyzers.Catalog
	err := serverJSON(analyzers.File{Source: &analyzers.Source{Path: "server.json", Bytes: []byte(content)}}, &c)
	return &c, err
}

func TestServerJSON(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		want    []string
	}{
		"npm and remote": {
			`{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json","name":"io.example/x","packages":[{"registryType":"npm","identifier":"@acme/x","version":"1.2.3","transport":{"type":"stdio"},"environmentVariables":[{"name":"KEY","isSecret":true}]}],"remotes":[{"type":"streamable-http","url":"https://x.example.com/mcp","headers":[{"name":"X-Key"}]}]}`,
			[]string{"stdio", "pkg:npm/%40acme/x@1.2.3 exact", "env KEY", "header X-Key", "https://x.example.com/mcp"},
		},
		"python, no version": {`{"name":"a/b","packages":[{"registryType":"pypi","identifier":"Acme_X"}]}`, []string{"", "pkg:pypi/acme-x none"}},
		"old spelling":       {`{"name":"a/b","packages":[{"registry_name":"npm","name":"x","version":"1.0.0"}]}`, []string{"", "pkg:npm/x@1.0.0 exact"}},
		"image":              {`{"name":"a/b","packages":[{"registryType":"oci","identifier":"ghcr.io/acme/x:1.0"}]}`, []string{"", "pkg:oci/x?repository_url=ghcr.io%2Facme%2Fx&tag=1.0 tag"}},
		"image with version": {`{"name":"a/b","packages":[{"registryType":"oci","identifier":"ghcr.io/acme/x","version":"1.0"}]}`, []string{"", "pkg:oci/x?repository_url=ghcr.io%2Facme%2Fx&tag=1.0 tag"}},
		"bundle":             {`{"name":"a/b","packages":[{"registryType":"mcpb","identifier":"https://git.example.com/x.mcpb","fileSha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}`, []string{"", "pkg:generic/x.mcpb?checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000&download_url=https:%2F%2Fgit.example.com%2Fx.mcpb digest"}},
	} {
		got, err := read(c.content)
		if err != nil || len(got.Servers) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := got.Servers[0]
		lines := []string{string(s.Transport)}
		for _, p := range s.Packages {
			lines = append(lines, p.PURL+" "+string(p.Pin))
		}
		for _, i := range s.Images {
			lines = append(lines, i.PURL+" "+string(i.Pin))
		}
		for _, v := range s.Env {
			lines = append(lines, fmt.Sprintf("env %s", v.Name))
		}
		for _, v := range s.Headers {
			lines = append(lines, fmt.Sprintf("header %s", v.Name))
		}
		for _, u := range s.Remotes {
			lines = append(lines, u.Raw())
		}
		if !slices.Equal(lines, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, lines, c.want)
		}
	}
}

func TestForeignServerJSON(t *testing.T) {
	for _, content := range []string{`{"name":"my-server","port":80}`, `[]`, `{"packages":[]}`} {
		if _, err := read(content); !errors.Is(err, analyzers.ErrForeign) {
			t.Errorf("%s: %v", content, err)
		}
	}
	if isServerJSON([]byte(`{"port": 8080, "host": "x"}`)) {
		t.Error("a web server's configuration is taken for an MCP description")
	}
}
