package drift_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

// side reads a capture.
func side(t testing.TB, content string) drift.Side {
	t.Helper()
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: fstest.MapFS{"capture.json": {Data: []byte(content)}}, Exposure: analyzers.Active},
		[]analyzers.Analyzer{capture.Analyzer()}, analyzers.Limits{Jobs: 1})
	if err != nil || len(c.Servers) != 1 {
		t.Fatalf("%v, %d servers: %.200s", err, len(c.Servers), content)
	}
	return drift.Side{Surface: &c.Servers[0].Surface}
}

// TestPoisoned: every way of turning an approved surface against its user is
// high or critical. The first line of the file is the approved one.
func TestPoisoned(t *testing.T) {
	f, err := os.Open("testdata/poisoned.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var before drift.Side
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var row struct {
			Technique string
			Capture   json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		after := side(t, string(row.Capture))
		if n == 0 {
			before = after
			if got := drift.Compare(before, after); len(got) > 0 {
				t.Fatalf("nothing has changed: %v", got)
			}
			continue
		}
		changes := drift.Compare(before, after)
		if drift.Worst(changes) < rules.High {
			t.Errorf("%s: %s", row.Technique, say(changes))
		}
		for _, c := range changes {
			if c.Reason == "" || c.Class == "" || c.Severity == 0 || c.Kind == "" {
				t.Errorf("%s: incomplete: %+v", row.Technique, c)
			}
			if c.Op != manifest.Removed && c.Span.IsZero() {
				t.Errorf("%s: %s of %s has no place", row.Technique, c.Field, c.Name)
			}
		}
	}
	if n < 31 {
		t.Errorf("only %d techniques", n-1)
	}
}

func say(changes []drift.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s %s %s: %s; ", c.Name, c.Field, c.Class, c.Severity, c.Reason)
	}
	return b.String()
}
