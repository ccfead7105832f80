//go:build unix

package stdio

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolate gives the server a process group of its own, so that what it starts
// can be ended with it.
func isolate(c *exec.Cmd, launcher bool) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Setpgid = true
	orphan(c, launcher)
}

func terminate(c *exec.Cmd) { signal(c, syscall.SIGTERM) }

func kill(c *exec.Cmd) { signal(c, syscall.SIGKILL) }

func signal(c *exec.Cmd, s syscall.Signal) {
	if c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, s) // it may be gone
	}
}

// unpolled is a pipe's end of which a read blocks its thread: with the poller in
// between, a message costs three calls of the system more. A read that waits is
// not ended by Close.
func unpolled(f *os.File) *os.File {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return f
	}
	_ = f.Close() // takes it from the poller
	return os.NewFile(uintptr(fd), f.Name())
}
