package identity

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLaunchers starts servers from the public registries with the real npx
// and uvx, as clients do, and asks what runs once they have answered.
func TestLaunchers(t *testing.T) {
	if os.Getenv("SALLYPORT_LAUNCHERS") == "" {
		t.Skip("it fetches packages: make test-launchers")
	}
	for _, test := range []struct {
		argv   []string
		purl   string
		module string // a file of the package, to edit
	}{
		{[]string{"npx", "-y", "@modelcontextprotocol/server-memory@2026.8.31"}, "pkg:npm/%40modelcontextprotocol/server-memory@2026.8.31", "dist/index.js"},
		{[]string{"uvx", "mcp-server-time"}, "pkg:pypi/mcp-server-time@", "../mcp_server_time/server.py"},
	} {
		t.Run(test.argv[0], func(t *testing.T) {
			if _, err := exec.LookPath(test.argv[0]); err != nil {
				t.Skip(err)
			}
			cache := real(t)
			env := append(os.Environ(), "npm_config_cache="+cache, "UV_CACHE_DIR="+cache, "npm_config_update_notifier=false")
			if why, weak := Weak(test.argv); !weak {
				t.Errorf("it is not weak: %s", why)
			}
			found := started(t, test.argv, env, nil, nil)
			if len(found) != 1 || !strings.HasPrefix(found[0].PURL, test.purl) || found[0].Basis != Files || found[0].Integrity == "" {
				t.Fatalf("%+v", found)
			}
			t.Logf("%+v", found[0])
			again := started(t, test.argv, env, []string{found[0].Integrity}, nil)
			if !slices.Equal(found, again) {
				t.Errorf("%+v and then %+v", found, again)
			}
			started(t, test.argv, env, []string{"sha512-" + strings.Repeat("A", 86) + "=="}, ErrOther)
			edited := filepath.Join(found[0].Path, test.module)
			content, err := os.ReadFile(edited)
			if err != nil {
				t.Fatal(err)
			}
			// Not in place: the cache may hold the same file by a second name.
			if err := errors.Join(os.Remove(edited), os.WriteFile(edited, append(content, '\n'), 0o755)); err != nil {
				t.Fatal(err)
			}
			started(t, test.argv, env, []string{found[0].Integrity}, ErrAltered)
		})
	}
}

// started starts a server, waits for its first answer, and asks what it is.
func started(t *testing.T, argv, env, want []string, fails error) []Package {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = cmd.Wait() }()
	_, err = io.WriteString(in, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`+"\n")
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || !json.Valid(line) {
		t.Skipf("the package cannot be fetched here: %v\n%s", err, said.String())
	}
	found, err := Resolved(cmd.Process.Pid, want)
	if !errors.Is(err, fails) {
		t.Errorf("%+v %v, want %v", found, err, fails)
	}
	return found
}
