//go:build !linux

package identity

import (
	"io/fs"
	"os"
)

const (
	nonblocking = 0
	separators  = `/` + string(os.PathSeparator)
)

func stampOf(info fs.FileInfo) stamp {
	return stamp{size: info.Size(), modified: info.ModTime().UnixNano(), mode: info.Mode()}
}
