package audit

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stat is the memory of size.
type stat struct {
	path  byte // the end of an empty one
	asked unix.Statx_t
	all   syscall.Stat_t
}

// size is a file's length, and whether it still has a name. It asks for nothing
// else: after a look at the time of a file the next write has to set a finer one,
// which costs as much as the write (multigrain timestamps, Linux 6.13).
func size(f *os.File, st *stat) (n int64, named bool, err error) {
	fd := int(f.Fd())
	// unix.Statx, which copies the path to the heap each time.
	_, _, no := syscall.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&st.path)), unix.AT_EMPTY_PATH,
		unix.STATX_SIZE|unix.STATX_NLINK, uintptr(unsafe.Pointer(&st.asked)), 0)
	if no == 0 {
		return int64(st.asked.Size), st.asked.Nlink > 0, nil
	}
	if err := syscall.Fstat(fd, &st.all); err != nil { // before Linux 4.11, or filtered
		return 0, false, err
	}
	return st.all.Size, st.all.Nlink > 0, nil
}
