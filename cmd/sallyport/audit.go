package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/internal/shim"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

func auditCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:        "audit",
		Usage:       "check, follow and sum up what the shim decided",
		Description: `The log is what run --audit FILE writes; docs/audit.md says what it shows and what it cannot show.`,
		Subcommands: []*cli.Command{auditVerify(p), auditTail(p), auditReport(p)},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("use one of: verify, tail, report", "audit does not know %q", c.Args().First())
			}
			return usage("use one of: verify, tail, report", "audit needs a sub-command")
		},
	}
}

func auditFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "key", Usage: "trust the signatures of the public key in `PUB.pem` (repeatable; default: this installation's)"},
		&cli.StringFlag{Name: "state", Usage: "the state `DIR` of the shim that wrote the log"},
	}, more...)
}

// logs are the files of each log that was named, oldest first.
func logs(names []string) ([][]string, error) {
	var all [][]string
	seen := map[string]bool{}
	for _, name := range names {
		base := audit.Base(name)
		if seen[base] {
			continue
		}
		seen[base] = true
		files, err := audit.Files(base)
		if err != nil {
			return nil, usage("name the file that run --audit wrote", "cannot read %q: %v", name, reason(err))
		}
		all = append(all, files)
	}
	return all, nil
}

// trust is what logs are held to.
func (p *program) trust(c *cli.Context) (o audit.VerifyOptions, err error) {
	for _, name := range c.StringSlice("key") {
		content, err := readBounded(name)
		if err != nil {
			return o, usage("audit.pub in the state directory of the shim is one", "cannot read the key %q: %v", name, reason(err))
		}
		key, err := audit.ParsePublicKey(content)
		if err != nil {
			return o, usage("audit.pub in the state directory of the shim is one", "%s: %v", oneLine(name), err)
		}
		o.Keys = append(o.Keys, key)
	}
	state := c.String("state")
	if state == "" {
		if state = shim.StateDir(p.env); state == "" {
			return o, nil // nothing is remembered
		}
	}
	if o.Keys == nil {
		if content, err := readBounded(filepath.Join(state, "audit.pub")); err == nil {
			key, err := audit.ParsePublicKey(content)
			if err != nil {
				return o, usage("--key PUB.pem names the key to trust", "%s: %v", oneLine(filepath.Join(state, "audit.pub")), err)
			}
			o.Keys = []ed25519.PublicKey{key}
		}
	}
	if o.Heads, err = audit.Heads(state); err != nil {
		return o, usage("--state DIR names another state directory", "cannot read what the state directory remembers: %v", err)
	}
	return o, nil
}

// verifyLog reads the files of one log.
func verifyLog(names []string, o audit.VerifyOptions) (*audit.Report, error) {
	var files []audit.File
	for _, name := range names {
		f, err := os.Open(name)
		if err == nil {
			defer f.Close()
			if info, statErr := f.Stat(); statErr != nil || !info.Mode().IsRegular() {
				err = errors.Join(statErr, errors.New("not a regular file"))
			}
		}
		if err != nil {
			return nil, &failure{exitIncomplete, fmt.Sprintf("cannot read %q: %v", name, reason(err)), "name the file that run --audit wrote"}
		}
		files = append(files, audit.File{Name: name, Reader: f})
	}
	r, err := audit.Verify(o, files...)
	if err != nil {
		return r, &failure{exitIncomplete, oneLine(err.Error()), ""}
	}
	return r, nil
}

func auditVerify(p *program) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "hold a log to its hashes and signatures: was anything altered, removed, added or cut off?",
		ArgsUsage: "FILE...",
		Description: `FILE.1, FILE.2 ... are read with FILE. Exit 1: the log is not what was written. Exit 3: what is there is
as it was written, but files before it are missing, its last line is half a line, or nothing is signed.`,
		Flags: auditFlags(
			&cli.BoolFlag{Name: "partial", Usage: "earlier files may be missing: they were removed on purpose"},
			&cli.BoolFlag{Name: "sealed", Usage: "want a signature over the last line: the log was closed"}),
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("sallyport audit verify audit.jsonl", "audit verify needs a file")
			}
			o, err := p.trust(c)
			if err != nil {
				return err
			}
			all, err := logs(c.Args().Slice())
			if err != nil {
				return err
			}
			code := exitClean
			for _, names := range all {
				r, err := verifyLog(names, o)
				if err != nil {
					return err
				}
				p.printVerified(names[len(names)-1], r, len(o.Keys) > 0)
				switch {
				case r.Problem != nil:
					code = exitFindings
				case code == exitClean && (r.Partial > 0 || r.FirstSeq > 1 && !c.Bool("partial") || r.Records > 0 && r.Covered == 0 || c.Bool("sealed") && r.Covered < r.LastSeq):
					code = exitIncomplete
				}
			}
			if code != exitClean {
				return &failure{code: code}
			}
			return nil
		},
	}
}

func (p *program) printVerified(name string, r *audit.Report, keys bool) {
	say := func(format string, args ...any) { fmt.Fprintf(p.stdout, "  "+format+"\n", args...) }
	verdict := "as it was written"
	if r.Problem != nil {
		verdict = "NOT as it was written"
	}
	fmt.Fprintf(p.stdout, "%s: %s\n", oneLine(name), verdict)
	if r.Problem != nil {
		say("first problem: %s", oneLine(r.Problem.String()))
	}
	if r.Lines > 0 {
		say("%s in %s, %d to %d; %d decisions, %s to %s", count(r.Lines, "whole line"), count(uint64(r.Files), "file"), r.FirstSeq, r.LastSeq, r.Records, r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
	}
	switch {
	case r.Problem != nil:
		say("signed up to line %d; nothing behind that and before the problem is certain", r.Covered)
	case r.Covered == 0:
		say("nothing is signed")
	case r.Covered < r.LastSeq:
		say("signed up to line %d by %s; the %s after it are not signed yet", r.Covered, strings.Join(r.Signers, ", "), count(r.LastSeq-r.Covered, "line"))
	default:
		say("signed to the end by %s", strings.Join(r.Signers, ", "))
	}
	if !keys {
		say("no key was given: the log's own is believed, so damage shows and forgery does not; --key PUB.pem")
	}
	if r.FirstSeq > 1 && r.Problem == nil {
		say("lines 1 to %d are in files that are not here; --partial accepts that", r.FirstSeq-1)
	}
	for _, rec := range r.Recoveries[:min(len(r.Recoveries), 20)] {
		what := []string{}
		if rec.Bytes > 0 {
			what = append(what, fmt.Sprintf("half a line of %d bytes was left by a crash or a full disk, and closed off", rec.Bytes))
		}
		if rec.Lost > 0 {
			what = append(what, count(rec.Lost, "record")+" could not be written")
		}
		say("%s:%d: %s", oneLine(rec.File), rec.Line, strings.Join(what, "; "))
	}
	if r.Partial > 0 {
		say("the last line was not written to its end (%d bytes): a crash, or a shim that is writing now", r.Partial)
	}
	open := 0
	for _, s := range r.Sessions {
		if !s.Ended {
			open++
		}
	}
	say("%s, %d of them without an end: they run, or were killed", count(uint64(len(r.Sessions)), "session"), open)
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
