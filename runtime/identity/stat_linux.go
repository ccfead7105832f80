package identity

import (
	"io/fs"
	"syscall"
)

const (
	nonblocking = syscall.O_NONBLOCK // nobody may hold us up with a pipe
	separators  = "/"
)

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano(), mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode, s.links, s.changed = uint64(st.Dev), st.Ino, uint64(st.Nlink), st.Ctim.Nano()
	}
	return s
}
