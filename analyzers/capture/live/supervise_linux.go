package live

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a server. Memory and processes are counted over its whole tree.
const (
	maxMemory    = 2 << 30
	maxProcesses = 512
	maxFiles     = 1024
	maxFileSize  = 512 << 20
	maxCPU       = time.Minute
	maxTemp      = 512 << 20 // bytes each in HOME, /tmp and all caches together: they are memory, too
	maxShared    = 64 << 20  // bytes in /dev/shm
	watchEvery   = 200 * time.Millisecond
)

// supervisorName is the supervisor's only argument: the name it is started
// under.
const supervisorName = "sallyport-supervisor"

// order is what a supervisor is told.
type order struct {
	Argv     []string `json:"argv"` // Argv[0] is a path; nothing is started without
	Dir      string   `json:"dir"`
	Env      []string `json:"env"`
	Confined bool     `json:"confined"`
	Network  bool     `json:"network"`
	Home     string   `json:"home"`
	Shown    []string `json:"shown"`
	Caches   []string `json:"caches"`
}

// Supervise is to be called first in main: where the program was started as a
// supervisor by itself, it does that and does not return.
func Supervise() {
	if len(os.Args) == 1 && os.Args[0] == supervisorName {
		syscall.Exit(supervise(os.NewFile(3, "control"), os.NewFile(4, "report"))) // at once: what still runs ends with us
	}
}

func supervise(control, report *os.File) int {
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // the server has our user id and must not trace us
	say := func(n notice) {
		if line, err := json.Marshal(n); err == nil {
			_, _ = report.Write(append(line, '\n'))
		}
	}
	in := bufio.NewReader(control)
	line, err := in.ReadBytes('\n')
	var o order
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		say(notice{Problem: "the order cannot be read: " + err.Error()})
		return 1
	}
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(gone)
	}()
	if err := prepare(&o); err != nil {
		say(notice{Problem: err.Error()})
		return 1
	}
	if len(o.Argv) == 0 {
		say(notice{Started: true})
		return 0
	}
	child, err := launchServer(&o)
	if err != nil {
		say(notice{Problem: fmt.Sprintf("%s: %v", o.Argv[0], err)})
		return 1
	}
	say(notice{Started: true})
	// The server's ends of the pipes are its own now: ours would keep them open.
	for fd := range 3 {
		_ = unix.Close(fd)
	}
	ended := make(chan string, 1)
	go func() { ended <- reap(child) }()
	limit := time.NewTicker(watchEvery)
	defer limit.Stop()
	for {
		select {
		case how := <-ended:
			say(notice{Ended: how})
			o.killAll()
			return 0
		case <-gone:
			o.killAll()
			return 0
		case <-limit.C:
			if over := exceeded(); over != "" {
				say(notice{Ended: "was ended at its limit of " + over})
				o.killAll()
				return 0
			}
		}
	}
}

// prepare makes the world in which the server is started.
func prepare(o *order) error {
	if o.Confined {
		if err := confine(o); err != nil {
			return err
		}
	} else if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	limits := map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_CPU: uint64(maxCPU / time.Second), unix.RLIMIT_DATA: maxMemory, unix.RLIMIT_FSIZE: maxFileSize, unix.RLIMIT_NOFILE: maxFiles,
	}
	if o.Confined { // outside it would count every process of this user
		limits[unix.RLIMIT_NPROC] = maxProcesses
	}
	for what, most := range limits {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(what, &now); err != nil {
			return err
		}
		most = min(most, now.Max)
		if err := syscall.Setrlimit(what, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("resource limit %d: %w", what, err)
		}
	}
	return nil
}

// launchServer starts the server from a thread that has given up what the
// supervisor may do: privileges belong to threads, and a child has those of
// the one that started it.
func launchServer(o *order) (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends here
		if o.Confined {
			if err = surrender(); err != nil {
				return
			}
		}
		pid, err = syscall.ForkExec(o.Argv[0], o.Argv, &syscall.ProcAttr{Dir: o.Dir, Env: o.Env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	}()
	<-done
	return pid, err
}

// surrender gives up every capability of this thread for good.
func surrender() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	for c := uintptr(0); c < 64; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break
		} else if err != nil {
			return fmt.Errorf("dropping capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("dropping ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// reap waits for the server, and for the orphans that come to us, and says how
// the server ended.
func reap(child int) string {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return "ended"
		case pid != child:
		case status.Signaled() && status.Signal() == syscall.SIGXCPU:
			return "was ended at its limit of CPU time"
		case status.Signaled():
			return "was ended by signal " + status.Signal().String()
		default:
			return fmt.Sprintf("ended with exit status %d", status.ExitStatus())
		}
	}
}

// killAll ends every process of the server. In a namespace the kernel does so
// when we end; outside, all are found, those with sessions of their own too:
// their parents are gone or ours.
func (o *order) killAll() {
	if o.Confined {
		return
	}
	for range 100 {
		tree := descendants()
		if len(tree) == 0 {
			return
		}
		for pid := range tree {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// usage is what a process takes.
type usage struct {
	parent int
	memory int // bytes of its own: resident and not shared
}

// descendants are all processes below this one, zombies left out.
func descendants() map[int]usage {
	all := map[int]usage{}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range names {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (name) state ppid ...; a name may hold anything
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		u := usage{}
		u.parent, _ = strconv.Atoi(fields[1])
		if statm, err := os.ReadFile("/proc/" + e.Name() + "/statm"); err == nil {
			if f := strings.Fields(string(statm)); len(f) > 2 {
				resident, _ := strconv.Atoi(f[1])
				shared, _ := strconv.Atoi(f[2])
				u.memory = (resident - shared) * os.Getpagesize()
			}
		}
		all[pid] = u
	}
	self := os.Getpid()
	below := map[int]usage{}
	for pid := range all {
		at := pid
		for range 1000 { // up to us or to the top
			if at = all[at].parent; at == self {
				below[pid] = all[pid]
				break
			} else if at <= 1 {
				break
			}
		}
	}
	return below
}

// exceeded names the limit that the server's processes go beyond together.
func exceeded() string {
	tree := descendants()
	memory := 0
	for _, u := range tree {
		memory += u.memory
	}
	switch {
	case len(tree) > maxProcesses:
		return fmt.Sprintf("%d processes", maxProcesses)
	case memory > maxMemory:
		return fmt.Sprintf("%d MiB of memory", maxMemory>>20)
	}
	return ""
}
