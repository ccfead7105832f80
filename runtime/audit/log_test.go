package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

func keysOf(k ed25519.PrivateKey) []ed25519.PublicKey {
	return []ed25519.PublicKey{k.Public().(ed25519.PublicKey)}
}

func sample() *Record {
	return &Record{
		Time: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC), Session: "4f1c", Mode: "enforce",
		Server:    &Server{Entry: "files", Name: "files", Argv: []string{"npx", "-y", "@acme/files@1.2.3", "/srv"}, Surface: "sha256:aa"},
		Who:       &Who{User: "alice", Client: "claude-code", Unit: "payments", Roles: []string{"developer"}},
		Direction: ClientToServer, Method: "tools/call", Name: "read_file", RequestID: []byte("17"), Protocol: "2025-11-25",
		Decision: Allow, Enforced: true, Bytes: 412, Duration: 12345 * time.Nanosecond,
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// verifyFiles verifies a log with what its state directory knows, and returns
// how often each request id is in it, by session.
func verifyFiles(t *testing.T, path, state string) (*Report, map[string]map[string]int) {
	t.Helper()
	names, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, File{filepath.Base(name), f})
	}
	key, err := Key(state)
	if err != nil {
		t.Fatal(err)
	}
	heads, err := Heads(state)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]int{}
	r, err := Verify(VerifyOptions{Keys: keysOf(key), Heads: heads, Each: func(r *Record, _ bool) {
		if got[r.Session] == nil {
			got[r.Session] = map[string]int{}
		}
		got[r.Session][string(r.RequestID)]++
	}}, files...)
	if err != nil {
		t.Fatal(err)
	}
	return r, got
}

// write makes a log of n records and returns its path.
func write(t *testing.T, state string, n int, o Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	o.StateDir = state
	l, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := l.Write(sample()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRecord: what is written is what a reader gets back, and holds to the
// schema.
func TestRecord(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(t.TempDir(), "deep", "audit.jsonl")
	l, err := Open(path, Options{StateDir: filepath.Join(state, "new")})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]Finding, 40)
	for i := range many {
		many[i] = Finding{"dsc-hidden", "high", "result.content[0].text"}
	}
	full := sample()
	full.Decision, full.Rule, full.Reason, full.Findings = Deny, "dsc-hidden", `tool "x" is not approved`, many
	full.RequestID, full.FrameSHA256 = json.RawMessage(`"a-1"`), strings.Repeat("ab", 32)
	for _, r := range []*Record{sample(), full, {}, {RequestID: json.RawMessage(`{"not":"an id"}`), Time: time.Date(1<<20, 1, 1, 0, 0, 0, 0, time.UTC), Bytes: -1, Duration: -1}} {
		if err := l.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(sample()); !errors.Is(err, ErrClosed) {
		t.Error("written after Close:", err)
	}
	var back []*Record
	report, err := Verify(VerifyOptions{Each: func(r *Record, _ bool) { back = append(back, r) }}, File{"audit.jsonl", strings.NewReader(read(t, path))})
	if err != nil || report.Problem != nil {
		t.Fatal(err, report.Problem)
	}
	if len(back) != 4 || back[1].Reason != full.Reason || len(back[1].Findings) != maxFindings+1 || back[1].Findings[maxFindings].Field != "24 more" ||
		back[0].Duration != 12345 || !back[0].Time.Equal(sample().Time) || back[0].Server.Argv[2] != "@acme/files@1.2.3" || back[0].Who.Roles[0] != "developer" ||
		string(back[1].RequestID) != `"a-1"` || string(back[3].RequestID) != "null" || back[1].Hash != full.Hash || back[1].Seq != full.Seq {
		t.Errorf("%+v", back)
	}
	schema, err := jsonschema.Compile("../../docs/schema/audit.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(read(t, path)), "\n") {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s\n%v", line, err)
		}
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Join(state, "new"): 0o700, filepath.Join(state, "new", keyFile): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// TestHostile: what others chose cannot break a line, reach a terminal or
// carry a credential into the log.
func TestHostile(t *testing.T) {
	token := "ghp_" + "Zq3Rk8Vt1Xw6Yb2Nc7Md4Lf9Ks5Jh0Pg1T2u"
	state := t.TempDir()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"a\nb\"c\\d", "\x1b[2Jgone", "right\u202eleft", "\U000e0041tag", "\xff\xfe no text", strings.Repeat("long ", 10000), strings.Repeat("\x00", 9000),
		"git clone with " + token, "db://alice:" + token + "@db.example.com/x",
		strings.Repeat("x", maxText-10) + " " + token, strings.Repeat("é", maxText),
	} {
		id, _ := json.Marshal(s)
		r := sample()
		r.Session, r.Method, r.Name, r.Protocol, r.Rule, r.Reason, r.RequestID = s, s, s, s, s, s, id
		r.Mode, r.Direction, r.Decision = cut(s, 5), cut(s, 5), cut(s, 5)
		r.Server = &Server{s, s, []string{s, s, s, s, s, s, s, s, s, s, s}, s, s, cut(s, 7)}
		r.Who = &Who{s, s, s, s, s, s, []string{s}}
		r.Findings = []Finding{{s, cut(s, 7), s}}
		if err := l.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	content := read(t, path)
	report, err := Verify(VerifyOptions{}, File{"audit.jsonl", strings.NewReader(content)})
	if err != nil || report.Problem != nil || report.Records != 11 {
		t.Fatal(err, report.Problem, report.Records)
	}
	if strings.Contains(content, token[4:20]) {
		t.Error("a credential is in the log")
	}
	for _, r := range content {
		if r != '\n' && (r < ' ' || r == '\u202e' || r == '\ufffd' || r > 0xffff) {
			t.Errorf("%U is in the log", r)
		}
	}
	for line := range bytes.Lines([]byte(content)) {
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestNumber(t *testing.T) {
	for s, want := range map[string]bool{"0": true, "-1": true, "17": true, "1.50": true, "1e5": true, "-0.1E-7": true, "": false, "-": false, "01": false, "1.": false, ".5": false, "1e": false, "1 ": false, "nul": false, strings.Repeat("1", 65): false} {
		if number([]byte(s)) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// TestRotate: the chain goes on through the files, and old ones are removed.
func TestRotate(t *testing.T) {
	state := t.TempDir()
	path := write(t, state, 400, Options{MaxBytes: 50000})
	r, _ := verifyFiles(t, path, state)
	if r.Problem != nil || r.Records != 400 || !r.Complete() || r.Files < 5 || r.Covered != r.LastSeq {
		t.Errorf("%v; %+v", r.Problem, r)
	}
	if Base(path+".2") != path || Base(path) != path {
		t.Error(Base(path + ".2"))
	}
	path = write(t, state, 400, Options{MaxBytes: 50000, Keep: 2})
	r, _ = verifyFiles(t, path, state)
	if r.Problem != nil || r.Files != 3 || r.Complete() || r.FirstSeq == 1 {
		t.Errorf("%v; %+v", r.Problem, r)
	}
	// A file in the middle is missing.
	path = write(t, state, 400, Options{MaxBytes: 50000})
	if err := os.Remove(path + ".2"); err != nil {
		t.Fatal(err)
	}
	if r, _ = verifyFiles(t, path, state); r.Problem == nil || !strings.Contains(r.Problem.Text, "missing") {
		t.Error(r.Problem)
	}
}

// TestInterruptedRotation: FILE was moved, and nothing else happened.
func TestInterruptedRotation(t *testing.T) {
	state := t.TempDir()
	path := write(t, state, 10, Options{})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, Options{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Write(sample()), l.Close()); err != nil {
		t.Fatal(err)
	}
	if r, _ := verifyFiles(t, path, state); r.Problem != nil || r.Records != 11 || r.Files != 2 {
		t.Errorf("%v; %+v", r.Problem, r)
	}
}

// TestRemoved: what is removed under a writer shows, and no record goes to a
// file without a name.
func TestRemoved(t *testing.T) {
	for _, how := range []string{"remove", "truncate", "shorten"} {
		t.Run(how, func(t *testing.T) {
			state := t.TempDir()
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l, err := Open(path, Options{StateDir: state})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				err = errors.Join(err, l.Write(sample()))
			}
			switch how {
			case "remove":
				err = errors.Join(err, os.Remove(path))
			case "truncate":
				err = errors.Join(err, os.Truncate(path, 0))
			case "shorten":
				content := read(t, path)
				err = errors.Join(err, os.Truncate(path, int64(strings.LastIndex(content[:len(content)-1], "\n")+1)))
			}
			if err := errors.Join(err, l.Write(sample()), l.Close()); err != nil {
				t.Fatal(err)
			}
			r, _ := verifyFiles(t, path, state)
			if r.Problem == nil && r.Complete() {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestForeign: a file that is no log is left as it is.
func TestForeign(t *testing.T) {
	for _, content := range []string{"hello\n", "no line break", `{"kind":"decision"}` + "\n", "\n", strings.Repeat("x", 3<<20)} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(path, Options{StateDir: t.TempDir()}); err == nil {
			l.Close()
			t.Errorf("%.20q was taken for a log", content)
		}
		if read(t, path) != content {
			t.Errorf("%.20q was changed", content)
		}
	}
	if _, err := Open(t.TempDir(), Options{StateDir: t.TempDir()}); err == nil {
		t.Error("a directory was taken for a log")
	}
	state := t.TempDir()
	write(t, state, 1, Options{})
	if err := os.Chmod(filepath.Join(state, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "x"), Options{StateDir: state}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error("a key that others may read was used:", err)
	}
}

// TestAnotherKey: another installation may write on; both keys are needed to
// trust the log.
func TestAnotherKey(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	path := write(t, one, 3, Options{})
	l, err := Open(path, Options{StateDir: two})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Write(sample()), l.Close()); err != nil {
		t.Fatal(err)
	}
	if r, _ := verifyFiles(t, path, one); r.Problem == nil || !strings.Contains(r.Problem.Text, "none of those given") {
		t.Error(r.Problem)
	}
	k1, _ := Key(one)
	k2, _ := Key(two)
	r, err := Verify(VerifyOptions{Keys: append(keysOf(k1), keysOf(k2)...)}, File{"a", strings.NewReader(read(t, path))})
	if err != nil || r.Problem != nil || len(r.Signers) != 2 || !r.Trusted {
		t.Error(err, r.Problem, r.Signers)
	}
}

// TestTimer: a record does not wait for its signature until the next one.
func TestTimer(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: state, CheckpointAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Write(sample()); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		if strings.Contains(read(t, path), `"kind":"checkpoint"`) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("no checkpoint")
}

func TestGoroutines(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: state, CheckpointEvery: 7, MaxBytes: 20000})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if err := l.Write(sample()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r, _ := verifyFiles(t, path, state); r.Problem != nil || r.Records != 400 {
		t.Error(r.Problem, r.Records)
	}
}

// TestAllocations: a record costs no allocation on the way of a call.
func TestAllocations(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "audit.jsonl"), Options{StateDir: t.TempDir(), CheckpointEvery: 1 << 30, MaxBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := sample()
	if n := testing.AllocsPerRun(100, func() {
		if err := l.Write(r); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	state := b.TempDir()
	path := filepath.Join(b.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: state})
	if err != nil {
		b.Fatal(err)
	}
	for range 1000 {
		if err := l.Write(sample()); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if r, err := Verify(VerifyOptions{}, File{path, bytes.NewReader(content)}); err != nil || r.Problem != nil {
			b.Fatal(err, r.Problem)
		}
	}
}
