//go:build unix

package stdio

import (
	"os/exec"
	"syscall"
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
