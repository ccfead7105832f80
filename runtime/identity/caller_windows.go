package identity

import (
	"os"
	"syscall"
	"unsafe"
)

// ancestor is the file name of the parent's executable.
func ancestor() ([]string, error) {
	h, err := syscall.CreateToolhelp32Snapshot(syscall.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.CloseHandle(h)
	var p syscall.ProcessEntry32
	p.Size = uint32(unsafe.Sizeof(p))
	for err = syscall.Process32First(h, &p); err == nil; err = syscall.Process32Next(h, &p) {
		if int(p.ProcessID) == os.Getppid() {
			return []string{syscall.UTF16ToString(p.ExeFile[:])}, nil
		}
	}
	return nil, nil
}
