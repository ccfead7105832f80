//go:build !unix

package stdio

import (
	"os"
	"os/exec"
)

func isolate(*exec.Cmd, bool) {}

func terminate(c *exec.Cmd) { kill(c) }

func kill(c *exec.Cmd) {
	if c.Process != nil {
		_ = c.Process.Kill() // it may be gone
	}
}

func unpolled(f *os.File) *os.File { return f }
