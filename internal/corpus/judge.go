package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// Verdict is a line of what `sallyport judge` prints.
type Verdict struct {
	Severity string
	Findings []struct{ RuleID, Severity string }
}

// Stops reports whether the verdict is medium or above.
func (v *Verdict) Stops() bool { return stops(v.Severity) }

// Blocks reports whether it is high or above.
func (v *Verdict) Blocks() bool { return v.Severity == "high" || v.Severity == "critical" }

func stops(severity string) bool {
	return severity == "medium" || severity == "high" || severity == "critical"
}

// Rules are those that stop the text, each once.
func (v *Verdict) Rules() []string {
	var out []string
	for _, f := range v.Findings {
		if stops(f.Severity) {
			out = append(out, f.RuleID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Judge runs rows through `sallyport judge`: tool definitions, or texts under
// "text".
func Judge(rows []map[string]any) ([]Verdict, error) {
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, row := range rows {
		if err := enc.Encode(row); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("go", "run", "./cmd/sallyport", "judge", "-")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	verdicts := make([]Verdict, 0, len(rows))
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var v Verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, err
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(rows) {
		return nil, fmt.Errorf("%d verdicts on %d rows", len(verdicts), len(rows))
	}
	return verdicts, lines.Err()
}
