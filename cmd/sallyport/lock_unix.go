//go:build unix

package main

import (
	"os"
	"syscall"
)

// lockDir keeps other sallyports from replacing files of a directory until
// unlock. The lock is the kernel's: a crash leaves none behind. Where a file
// system has none, writing goes on without.
func lockDir(dir string) (unlock func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	return func() { f.Close() }
}
