package stdio

import (
	"os/exec"
	"syscall"
)

// orphan ends the server when the shim is killed. A launcher (npx, docker run)
// is asked: killed, it could not pass that on to the server it has started.
func orphan(c *exec.Cmd, launcher bool) {
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if launcher {
		c.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
}
