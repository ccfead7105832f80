//go:build unix && !linux

package audit

import (
	"os"
	"syscall"
)

// stat is the memory of size.
type stat = syscall.Stat_t

// size is a file's length, and whether it still has a name.
func size(f *os.File, st *stat) (n int64, named bool, err error) {
	if err := syscall.Fstat(int(f.Fd()), st); err != nil {
		return 0, false, err
	}
	return st.Size, st.Nlink > 0, nil
}
