package live_test

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers/capture/live"
)

// request asks for one of the servers of the test binary.
func request(t *testing.T, args ...string) live.Request {
	t.Helper()
	return live.Request{
		Argv: append([]string{os.Args[0], "serve"}, args...), Dir: t.TempDir(), Timeout: 20 * time.Second, Version: "test",
		Getenv: func(name string) string {
			if name == "HOME" {
				return "/home/tester"
			}
			return os.Getenv(name)
		},
	}
}

func prepared(t *testing.T, r live.Request) *live.Plan {
	t.Helper()
	p, err := live.Prepare(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func captured(t *testing.T, r live.Request) *live.Capture {
	t.Helper()
	c, err := prepared(t, r).Capture(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStdio(t *testing.T) {
	for _, name := range []string{"sdk", "legacy", "banner", "asking", "odd"} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			c := captured(t, request(t, name))
			doc, err := c.Document()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %v %v %s\n%s", time.Since(start), c.Incomplete, c.Observations, c.Stderr, doc)
		})
	}
}
