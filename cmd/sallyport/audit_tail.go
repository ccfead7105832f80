package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

func auditTail(p *program) *cli.Command {
	return &cli.Command{
		Name:        "tail",
		Usage:       "print the last decisions of a log, and those that come",
		ArgsUsage:   "FILE",
		Description: "Prints what is there and verifies nothing: see audit verify.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "f", Usage: "go on with what comes, through rotations, until interrupted"},
			&cli.IntFlag{Name: "n", Usage: "the last `N` decisions", Value: 20},
			&cli.BoolFlag{Name: "json", Usage: "print the decisions as they are, one JSON object a line"},
			&cli.BoolFlag{Name: "denied", Usage: "only what was refused, changed or stopped"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || c.Int("n") < 0 {
				return usage("sallyport audit tail -n 20 audit.jsonl", "audit tail needs one file and a number of lines")
			}
			t := tailer{p: p, json: c.Bool("json"), denied: c.Bool("denied")}
			return t.run(c.Context, c.Args().First(), c.Int("n"), c.Bool("f"))
		},
	}
}

type tailer struct {
	p            *program
	json, denied bool
	ring         []string // the last lines, before following; the oldest at next
	next         int
	keep         int
	err          error // of stdout
}

const (
	maxAuditLine  = 1 << 20 // longer ones are no record
	followEvery   = 200 * time.Millisecond
	maxAuditLines = 100000 // for -n
)

func (t *tailer) run(ctx context.Context, name string, n int, follow bool) error {
	f, err := os.Open(name)
	if err != nil {
		return usage("name the file that run --audit wrote", "cannot read %q: %v", name, reason(err))
	}
	defer func() { f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return usage("name the file that run --audit wrote", "cannot read %q: not a regular file", name)
	}
	t.keep = min(n, maxAuditLines)
	in := &lineReader{r: bufio.NewReader(f)}
	t.read(in)
	for i := range t.ring {
		t.print(t.ring[(t.next+i)%len(t.ring)])
	}
	t.ring, t.keep = nil, -1
	for follow && t.err == nil && in.err == io.EOF {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		// First the new name, then the rest of the old file: what is rotated
		// away in between is read to its end.
		now, err := os.Stat(name)
		was, _ := f.Stat()
		t.read(in)
		if err == nil && !os.SameFile(now, was) {
			next, err := os.Open(name)
			if err != nil {
				continue
			}
			f.Close()
			f, in = next, &lineReader{r: bufio.NewReader(next)}
			t.read(in)
		}
	}
	if t.err != nil {
		return t.err
	}
	if in.err != io.EOF {
		return &failure{exitIncomplete, fmt.Sprintf("cannot read %q: %v", name, reason(in.err)), ""}
	}
	return nil
}

// lineReader gives whole lines, and keeps what is there of the last one for
// the next time.
type lineReader struct {
	r    *bufio.Reader
	part []byte
	long bool
	err  error
}

func (l *lineReader) next() ([]byte, bool) {
	for {
		b, err := l.r.ReadSlice('\n')
		if l.long = l.long || len(l.part)+len(b) > maxAuditLine; !l.long {
			l.part = append(l.part, b...)
		}
		if err == nil {
			line, long := l.part, l.long
			l.part, l.long = nil, false
			if long {
				continue
			}
			return line[:len(line)-1], true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			l.err = err
			return nil, false
		}
	}
}

func (t *tailer) read(in *lineReader) {
	for t.err == nil {
		line, ok := in.next()
		if !ok {
			return
		}
		text, ok := t.format(line)
		switch {
		case !ok:
		case t.keep < 0:
			t.print(text)
		case t.keep > 0:
			if len(t.ring) < t.keep {
				t.ring = append(t.ring, text)
			} else {
				t.ring[t.next] = text
				t.next = (t.next + 1) % t.keep
			}
		}
	}
}

func (t *tailer) print(line string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.p.stdout, line)
	}
}

// format is a line for people, or as it is; false for what was not asked for.
func (t *tailer) format(b []byte) (string, bool) {
	var r struct {
		Kind string `json:"kind"`
		audit.Record
	}
	err := json.Unmarshal(b, &r)
	decision := err == nil && r.Kind == "decision" && r.Server != nil && r.Who != nil
	if t.denied && (!decision || !r.Refused() && r.Decision != audit.Change) {
		return "", false
	}
	if t.json {
		// Escaped when it was written; what somebody else wrote is not.
		return oneLine(string(b)), decision
	}
	if !decision {
		if err == nil && r.Kind == "recovery" {
			return r.Time.Format(time.RFC3339) + "  (a line was left half written, or could not be written)", true
		}
		return "(not a line of an audit log)", err != nil
	}
	return oneLine(line(&r.Record)), true
}

// line is a record in one line.
func line(r *audit.Record) string {
	var b bytes.Buffer
	verb := r.Decision
	if r.Refused() && !r.Enforced {
		verb = "would " + verb
	}
	server := r.Server.Entry
	if server == "" {
		server = r.Server.Name
	}
	fmt.Fprintf(&b, "%s  %-10s %s", r.Time.Format("2006-01-02T15:04:05.000Z07:00"), verb, server)
	for _, s := range []string{r.Method, r.Name} {
		if s != "" {
			b.WriteString(" " + s)
		}
	}
	if r.Direction == audit.ServerToClient {
		b.WriteString(" (from the server)")
	}
	who := strings.Join(slices.DeleteFunc([]string{r.Who.User, r.Who.Client}, func(s string) bool { return s == "" }), " with ")
	if who != "" {
		b.WriteString("  " + who)
	}
	if r.Rule != "" {
		fmt.Fprintf(&b, "  [%s]", r.Rule)
	}
	if r.Reason != "" {
		b.WriteString("  " + r.Reason)
	}
	return b.String()
}
