package audit

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestCut: a crash may leave any part of the last lines. The log is verified
// up to the last whole one, and goes on behind it.
func TestCut(t *testing.T) {
	state := t.TempDir()
	content := read(t, write(t, state, 2, Options{CheckpointEvery: 2}))
	lines := strings.SplitAfter(content, "\n")
	for end := range len(content) {
		if end%29 != 0 && !strings.Contains(content[max(end-3, 0):end+1], "\n") {
			continue // every byte would take as long as all other tests
		}
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, []byte(content[:end]), 0o600); err != nil {
			t.Fatal(err)
		}
		whole := strings.Count(content[:end], "\n")
		r, err := Verify(VerifyOptions{}, File{"audit.jsonl", strings.NewReader(content[:end])})
		if err != nil || int(r.Lines) != whole || r.Partial != int64(end-len(strings.Join(lines[:whole], ""))) || whole > 0 && r.Problem != nil {
			t.Fatalf("cut at %d: %v %v %+v", end, err, r.Problem, r)
		}
		l, err := Open(path, Options{StateDir: state})
		if err != nil {
			t.Fatalf("cut at %d: %v", end, err)
		}
		if err := errors.Join(l.Write(sample()), l.Close()); err != nil {
			t.Fatal(err)
		}
		r, _ = verifyFiles(t, path, state)
		recoveries := 1
		if end == 0 || content[end-1] == '\n' || content[end] == '\n' || whole == 0 {
			recoveries = 0
		}
		if r.Problem != nil || len(r.Recoveries) != recoveries || r.Covered != r.LastSeq || !r.Complete() {
			t.Fatalf("cut at %d: %v %+v", end, r.Problem, r)
		}
	}
}

// TestTampering: each way to change a log that was signed shows.
func TestTampering(t *testing.T) {
	state := t.TempDir()
	path := write(t, state, 12, Options{CheckpointEvery: 5})
	lines := strings.SplitAfter(strings.TrimSuffix(read(t, path), "\n"), "\n")
	other := strings.SplitAfter(strings.TrimSuffix(read(t, write(t, state, 12, Options{CheckpointEvery: 5})), "\n"), "\n")
	rechain := func(all []string, forge ed25519.PrivateKey) []string {
		// What somebody does who can compute hashes and, at best, sign with
		// a key of his own.
		var prev Digest
		out := slices.Clone(all)
		for i, s := range out {
			again, _ := seal([]byte(hashDomain + s[:strings.LastIndex(s, `,"hash":`)]))
			l, err := parseLine(again[len(hashDomain) : len(again)-1])
			if err != nil {
				t.Fatal(err)
			}
			l.prev, l.seq = prev, uint64(i+1)
			b := []byte(hashDomain)
			if r := l.record; r != nil {
				r.Seq = l.seq
				b = (*texts)(nil).appendDecision(b, r, (*texts)(nil).appendParties(nil, r), prev)
			} else {
				if l.kind == "checkpoint" && forge != nil {
					l.sign(forge)
				}
				b = l.append(b)
			}
			b, prev = seal(b)
			out[i] = string(b[len(hashDomain):])
		}
		return out
	}
	_, mine, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(i int, old, new string) func([]string) []string {
		return func(all []string) []string {
			if !strings.Contains(all[i], old) {
				t.Fatalf("line %d has no %q: %s", i, old, all[i])
			}
			all[i] = strings.Replace(all[i], old, new, 1)
			return all
		}
	}
	cases := map[string]struct {
		change func(all []string) []string
		want   string
	}{
		"nothing": {func(all []string) []string { return all }, ""},
		"altered": {edit(3, `"decision":"allow"`, `"decision":"deny"`), "altered"},
		"altered, hash anew": {func(all []string) []string {
			all[3] = rechain(edit(3, `"allow"`, `"deny"`)(slices.Clone(all)), nil)[3]
			return all
		}, "does not follow"},
		"white space":             {edit(3, `,"session"`, `, "session"`), "spelling"},
		"a member twice":          {edit(3, `"mode":"enforce"`, `"mode":"observe","mode":"enforce"`), "spelling"},
		"a member in other case":  {edit(3, `"mode"`, `"Mode"`), "spelling"},
		"an unknown member":       {edit(3, `"mode"`, `"x":1,"mode"`), "unknown field"},
		"a line removed":          {func(all []string) []string { return slices.Delete(all, 3, 4) }, "1 lines are missing"},
		"the first line removed":  {func(all []string) []string { return all[1:] }, "lines before it are missing"},
		"a line doubled":          {func(all []string) []string { return slices.Insert(all, 3, all[3]) }, "doubled"},
		"two lines exchanged":     {func(all []string) []string { all[3], all[4] = all[4], all[3]; return all }, "missing"},
		"a line of another log":   {func(all []string) []string { all[4] = other[4]; return all }, "does not follow"},
		"two logs joined":         {func(all []string) []string { return append(all, other...) }, "another log"},
		"cut behind a checkpoint": {func(all []string) []string { return all[:7] }, "tail was cut"},
		"cut":                     {func(all []string) []string { return all[:9] }, "tail was cut"},
		"rewritten":               {func(all []string) []string { return rechain(slices.Delete(all, 3, 4), nil) }, "forged"},
		"rewritten and signed":    {func(all []string) []string { return rechain(slices.Delete(all, 3, 4), mine) }, "forged"},
		"rewritten, not signed": {func(all []string) []string {
			return rechain(slices.DeleteFunc(all, func(s string) bool { return strings.Contains(s, `"checkpoint"`) }), nil)
		}, "tail was cut"},
		"a checkpoint of another log": {func(all []string) []string { all[6] = other[6]; return all }, "follow"},
		"a checkpoint altered":        {edit(6, `"signature":"`, `"signature":"A`), "none"},
		"rubbish between":             {func(all []string) []string { return slices.Insert(all, 5, "rubbish\n") }, "no line"},
		"rubbish behind":              {func(all []string) []string { return append(all, "rubbish\n") }, "no line"},
		"an endless line":             {func(all []string) []string { return slices.Insert(all, 5, strings.Repeat("x", 3<<20)+"\n") }, "longer"},
		"a recovery of nothing": {func(all []string) []string {
			l, _ := parseLine([]byte(strings.TrimSpace(all[len(all)-1])))
			r := line{kind: "recovery", seq: l.seq + 1, prev: l.hash, time: l.time, broken: 7, brokenSum: strings.Repeat("0", 64)}
			b, _ := seal(r.append([]byte(hashDomain)))
			return append(all, string(b[len(hashDomain):]))
		}, "not there"},
		"empty": {func([]string) []string { return nil }, "no line of an audit log"},
	}
	lines[len(lines)-1] += "\n"
	other[len(other)-1] += "\n"
	key, err := Key(state)
	if err != nil {
		t.Fatal(err)
	}
	heads, err := Heads(state)
	if err != nil || len(heads) != 2 {
		t.Fatal(heads, err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			content := strings.Join(c.change(slices.Clone(lines)), "")
			r, err := Verify(VerifyOptions{Keys: keysOf(key), Heads: heads}, File{"audit.jsonl", strings.NewReader(content)})
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if r.Problem != nil || !r.Trusted || r.Checkpoints != 3 {
					t.Errorf("%v %+v", r.Problem, r)
				}
			} else if r.Problem == nil || !strings.Contains(r.Problem.String(), c.want) {
				t.Errorf("%v, want %q", r.Problem, c.want)
			}
		})
	}
}

// TestSessions: a session without an end is one that was killed, or cut off.
func TestSessions(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	at := sample().Time
	for i := range 3 {
		for _, decision := range []string{Start, Allow, End}[:3-i/2] {
			r := sample()
			at = at.Add(time.Second)
			r.Session, r.Decision, r.Time = strconv.Itoa(i), decision, at
			if err := l.Write(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ := verifyFiles(t, path, state)
	if len(r.Sessions) != 3 || !r.Sessions[1].Ended || r.Sessions[2].Ended || r.Sessions[0].Records != 3 || r.Sessions[0].Last.Sub(r.Sessions[0].First) != 2*time.Second {
		t.Errorf("%+v", r.Sessions)
	}
}

// FuzzVerify: whatever a file holds, Verify ends, and what it calls whole can
// be spelt again byte by byte.
func FuzzVerify(f *testing.F) {
	state := f.TempDir()
	key, err := Key(state)
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: state, CheckpointEvery: 2, Now: func() time.Time { return sample().Time }})
	if err != nil {
		f.Fatal(err)
	}
	r := sample()
	r.Name, r.Findings = "a\u202eb\xff", []Finding{{"dsc-hidden", "high", "x"}}
	for range 3 {
		if err := l.Write(r); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(content[:len(content)-30])
	f.Add(append([]byte(`{"kind":"open","seq":1,"ti`+"\n"), content...))
	for line := range strings.Lines(string(content)) {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"kind":"decision","seq":18446744073709551615,"durationUs":1e999}` + "\n"))
	f.Add([]byte("\n\n{}\n[]\nnull\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		var each uint64
		r, err := Verify(VerifyOptions{Keys: keysOf(key), Each: func(r *Record, ok bool) {
			if ok {
				each++
			}
			if r.Server == nil || r.Who == nil {
				t.Error("a record without its parts")
			}
		}}, File{"fuzz", strings.NewReader(string(content))})
		if err != nil {
			t.Fatal(err)
		}
		if each != r.Records || r.Lines > uint64(strings.Count(string(content), "\n")) || r.Problem != nil && r.Problem.Text == "" {
			t.Errorf("%+v", r)
		}
		var buf []byte
		if len(content) > 0 {
			_, _ = readTail(strings.NewReader(string(content)), int64(len(content)), &buf)
		}
	})
}
