//go:build !unix

package stdio

import "os/exec"

func isolate(*exec.Cmd, bool) {}

func terminate(c *exec.Cmd) { kill(c) }

func kill(c *exec.Cmd) {
	if c.Process != nil {
		_ = c.Process.Kill() // it may be gone
	}
}
