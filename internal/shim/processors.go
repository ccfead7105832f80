package shim

import goruntime "runtime"

// processors is how many goroutines may run at once, at least. Some calls of the
// system block and are known to do so only when the scheduler's monitor looks, up
// to 10 ms later: the wait for the server, the read of its output, and the read
// of a standard input that cannot be polled. On two processors the server's first
// answer would wait for that, on one each answer.
const processors = 4

func useProcessors() {
	if goruntime.GOMAXPROCS(0) < processors {
		goruntime.GOMAXPROCS(processors)
	}
}
