// Command pump is a raw byte pump in front of a command: what any process in
// between costs, before it looks at anything.
package main

import (
	"io"
	"os"
	"os/exec"
)

func main() {
	c := exec.Command(os.Args[1], os.Args[2:]...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		panic(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := c.Start(); err != nil {
		panic(err)
	}
	go func() {
		_, _ = io.Copy(in, struct{ io.Reader }{os.Stdin})
		_ = in.Close()
	}()
	_, _ = io.Copy(struct{ io.Writer }{os.Stdout}, struct{ io.Reader }{out})
	_ = c.Wait()
}
