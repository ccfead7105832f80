package stdio

import (
	"os/exec"
	"syscall"
)

// orphan lets the server end when the shim is killed.
func orphan(c *exec.Cmd) { c.SysProcAttr.Pdeathsig = syscall.SIGTERM }
