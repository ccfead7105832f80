package identity

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const maxAncestors = 8

// ancestor is the executable and the arguments of the parent, or of the
// nearest process above it that is no shell.
func ancestor() ([]string, error) {
	var line []string
	for pid, n := os.Getppid(), 0; pid > 1 && n < maxAncestors; n++ {
		p, err := readProcess(pid)
		if err != nil {
			return line, err
		}
		line = append([]string{p.exe}, p.argv[min(1, len(p.argv)):]...)
		if !shells[p.base()] {
			return line, nil
		}
		pid = p.parent
	}
	return line, nil
}

// process is one process as /proc shows it.
type process struct {
	pid, parent int
	exe         string // links followed; as argv[0] names it when that may not be read
	argv        []string
	cwd         string
}

func (p *process) base() string {
	return strings.TrimSuffix(p.exe[strings.LastIndexByte(p.exe, '/')+1:], " (deleted)")
}

const maxCommand = 64 << 10 // bytes of a command line

func readProcess(pid int) (*process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	parent, err := parentOf(dir)
	if err != nil {
		return nil, err
	}
	p := &process{pid: pid, parent: parent}
	f, err := os.Open(dir + "/cmdline")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxCommand))
	if err != nil {
		return nil, err
	}
	for word := range strings.SplitSeq(strings.TrimSuffix(string(content), "\x00"), "\x00") {
		p.argv = append(p.argv, word)
	}
	p.cwd, _ = os.Readlink(dir + "/cwd")
	if p.exe, err = os.Readlink(dir + "/exe"); err != nil && len(p.argv) > 0 {
		p.exe = p.argv[0] // of another user
	}
	return p, nil
}

// parentOf reads the fourth field of /proc/PID/stat (proc_pid_stat(5)); the
// second one is the program's name in parentheses, with anything in it.
func parentOf(dir string) (int, error) {
	content, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s/stat has another form", dir)
	}
	return strconv.Atoi(string(fields[1]))
}

const maxProcesses = 100_000

// children are the processes by their parents.
func children() (map[int][]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxProcesses)
	if err != nil {
		return nil, err
	}
	out := map[int][]int{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		parent, err := parentOf("/proc/" + name)
		if err != nil {
			continue // ended meanwhile
		}
		out[parent] = append(out[parent], pid)
	}
	return out, nil
}
