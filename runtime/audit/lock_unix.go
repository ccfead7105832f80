//go:build unix

package audit

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// tryLock takes the file's lock if it is free. The kernel gives it back when
// the process ends, however it ends.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, err
		}
	}
}

func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

func othersMayRead(mode fs.FileMode) bool { return mode.Perm()&0o077 != 0 }
