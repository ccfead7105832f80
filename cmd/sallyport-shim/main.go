// Command sallyport-shim is `sallyport run` alone: small, static and quick to
// start. It takes the same flags, and checks compiled registries with the
// standard library.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/sallyport-mcp/sallyport/internal/shim"
)

func main() {
	debug.SetGCPercent(400) // until what is prepared once has been
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	code := shim.Run(ctx, args, shim.World{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Environ(), Warm: settle})
	stop()
	os.Exit(code)
}

// settle gives back what the start has used: one of these runs beside every
// server.
func settle() {
	debug.SetGCPercent(100)
	debug.FreeOSMemory()
}
