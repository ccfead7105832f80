//go:build unix && !linux

package stdio

import "os/exec"

// orphan does nothing here: the server's input ends with the shim.
func orphan(*exec.Cmd, bool) {}
