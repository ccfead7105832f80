//go:build unix

package audit

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary a writer when it is asked to be one: it
// writes records, and says on stdout which ones Write has taken.
func TestMain(m *testing.M) {
	path := os.Getenv("AUDIT_TEST_WRITER")
	if path == "" {
		os.Exit(m.Run())
	}
	number := func(name string) int { n, _ := strconv.Atoi(os.Getenv(name)); return n }
	if limit := number("AUDIT_TEST_FILE_LIMIT"); limit > 0 {
		signal.Ignore(syscall.SIGXFSZ) // then write(2) returns what fitted, as on a full disk
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(limit), Max: uint64(limit)}); err != nil {
			panic(err)
		}
	}
	l, err := Open(path, Options{StateDir: os.Getenv("AUDIT_TEST_STATE"), MaxBytes: int64(number("AUDIT_TEST_MAX")), CheckpointEvery: 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	r := sample()
	r.Session = os.Getenv("AUDIT_TEST_SESSION")
	r.Reason = strings.Repeat("why ", number("AUDIT_TEST_LONG"))
	failed := 0
	for i := 0; i < number("AUDIT_TEST_RECORDS"); i++ {
		r.RequestID = strconv.AppendInt(nil, int64(i), 10)
		if err := l.Write(r); err != nil {
			failed++
			continue
		}
		fmt.Println(i)
	}
	if err := l.Close(); err != nil && failed == 0 {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Fprintln(os.Stderr, "failed", failed)
	os.Exit(0)
}

func writer(t *testing.T, path, state, session string, records int, more ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append([]string{"AUDIT_TEST_WRITER=" + path, "AUDIT_TEST_STATE=" + state,
		"AUDIT_TEST_SESSION=" + session, "AUDIT_TEST_RECORDS=" + strconv.Itoa(records)}, more...)...)
	return cmd
}

// TestKill: a writer is killed at any moment, and another one goes on. What
// Write has taken is in the log, once; the log verifies each time.
func TestKill(t *testing.T) {
	rounds := killRounds
	if testing.Short() {
		rounds = 20
	}
	dir, state := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	taken := map[string]string{} // session: the last id that Write had taken
	for round := range rounds {
		session := strconv.Itoa(round)
		// Long lines, so that some kills fall into a write, and small files.
		cmd := writer(t, path, state, session, 1<<30, "AUDIT_TEST_LONG=200", "AUDIT_TEST_MAX=200000")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := rand.IntN(40); n >= 0 && lines.Scan(); n-- {
			taken[session] = lines.Text()
		}
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			taken[session] = lines.Text()
		}
		cmd.Wait() // killed
	}
	r, got := verifyFiles(t, path, state)
	if r.Problem != nil {
		t.Fatal(r.Problem)
	}
	for session, last := range taken {
		n, err := strconv.Atoi(last)
		if err != nil {
			continue // the kill fell into the line on stdout
		}
		for i := range n + 1 {
			if got[session][strconv.Itoa(i)] != 1 {
				t.Fatalf("session %s: record %d is there %d times", session, i, got[session][strconv.Itoa(i)])
			}
		}
	}
	t.Logf("%d files, %d lines, %d recoveries, %d checkpoints", r.Files, r.Lines, len(r.Recoveries), r.Checkpoints)
}

// TestManyProcesses: several shims write one file, which is rotated under
// them. No record is lost, doubled or mixed with another.
func TestManyProcesses(t *testing.T) {
	const processes, each = 6, 400
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "audit.jsonl")
	var all []*exec.Cmd
	for i := range processes {
		cmd := writer(t, path, state, strconv.Itoa(i), each, "AUDIT_TEST_MAX=100000")
		cmd.Stderr = &strings.Builder{}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err, cmd.Stderr)
		}
	}
	r, got := verifyFiles(t, path, state)
	if r.Problem != nil || !r.Complete() || r.Covered != r.LastSeq {
		t.Fatalf("%v; %+v", r.Problem, r)
	}
	for i := range processes {
		if len(got[strconv.Itoa(i)]) != each {
			t.Errorf("process %d: %d records", i, len(got[strconv.Itoa(i)]))
		}
	}
	if r.Records != processes*each || r.Files < 5 || len(r.Recoveries) != 0 {
		t.Errorf("%d records in %d files, %d recoveries", r.Records, r.Files, len(r.Recoveries))
	}
}

// TestFull: on a full disk Write says so, and the log can be continued.
func TestFull(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	cmd := writer(t, path, state, "full", 40, "AUDIT_TEST_FILE_LIMIT=20000", "AUDIT_TEST_MAX=-1")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, said.String())
	}
	taken := strings.Count(string(out), "\n")
	if want := fmt.Sprintf("failed %d", 40-taken); taken < 10 || taken > 30 || !strings.Contains(said.String(), want) {
		t.Fatalf("%d taken, %q", taken, said.String())
	}
	r, _ := verifyFiles(t, path, state)
	if r.Problem != nil || r.Partial == 0 || r.Records != uint64(taken) {
		t.Fatalf("%v; %+v", r.Problem, r)
	}
	if err := writer(t, path, state, "after", 5).Run(); err != nil {
		t.Fatal(err)
	}
	r, _ = verifyFiles(t, path, state)
	if r.Problem != nil || r.Partial != 0 || r.Records != uint64(taken+5) || len(r.Recoveries) != 1 {
		t.Fatalf("%v; %+v", r.Problem, r)
	}
}

// TestHeldLock: a process that is stopped while it holds the lock keeps others
// from writing no longer than LockWait.
func TestHeldLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, Options{StateDir: t.TempDir(), LockWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(sample()); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Fatal(err)
	}
	f.Close()
	r := sample()
	if err := l.Write(r); err != nil || r.Seq != 3 {
		t.Fatal(err, r.Seq) // 1 opens, 2 says that one was lost
	}
}

// cpuTime is what this process has used of the processors: on a shared machine
// the only time that means something.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkWrite(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "audit.jsonl"), Options{StateDir: b.TempDir(), MaxBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r := sample()
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if err := l.Write(r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkBareWrite is the floor: a line of the same length, and nothing else.
func BenchmarkBareWrite(b *testing.B) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "x"), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	line := make([]byte, 730)
	before := cpuTime()
	for b.Loop() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}
