package live

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// base is where the new root is put together. It covers the old /proc, of
// which nothing is needed: every place whose files are shown stays reachable.
const base = "/proc"

// masked are the secrets of a machine below what every server may read. As
// ordinary user one could not read them anyhow.
var masked = []string{
	"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/security/opasswd", "/etc/ssh", "/etc/ssl/private",
	"/etc/kubernetes", "/etc/docker", "/etc/wireguard", "/etc/NetworkManager/system-connections", "/etc/krb5.keytab", "/etc/machine-id",
}

// confine leaves the process with a file system of its own: the system and
// what is shown, read-only; an empty home, an empty /tmp, nothing else. It
// runs as the first process of new namespaces.
func confine(o *order) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := tmpfs(base, maxTemp); err != nil {
		return err
	}
	for _, dir := range system {
		if err := bind(dir, false); err != nil {
			return err
		}
	}
	for _, path := range masked {
		if err := mask(path); err != nil {
			return err
		}
	}
	if err := devices(); err != nil {
		return err
	}
	for _, dir := range []string{"/tmp", o.Home} {
		if err := directory(dir); err != nil {
			return err
		}
		if err := tmpfs(base+dir, maxTemp); err != nil {
			return err
		}
	}
	// A name resolver's settings often stand behind a link to /run.
	for _, link := range []string{"/etc/resolv.conf", "/etc/localtime", "/etc/hosts"} {
		if real, err := filepath.EvalSymlinks(link); err == nil && !covered(real, system) {
			o.Shown = append(o.Shown, real)
		}
	}
	slices.SortFunc(o.Shown, func(a, b string) int { return len(a) - len(b) }) // what holds before what is held
	for _, path := range o.Shown {
		if err := bind(path, true); err != nil {
			return err
		}
	}
	for i, dir := range o.Caches {
		if err := overlay(dir, i); err != nil {
			return err
		}
	}
	if err := directory("/proc"); err != nil {
		return err
	}
	if err := unix.Mount("proc", base+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc of its own: %w", err)
	}
	if err := pivot(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("sallyport")); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if !o.Network {
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("loopback: %w", err)
		}
	}
	return closeDoors()
}

// directory makes a directory of the new root, or leaves the one that a bound
// tree has there.
func directory(path string) error {
	if err := os.MkdirAll(base+path, 0o755); err != nil {
		return fmt.Errorf("%s in the new root: %w", path, errors.Unwrap(err))
	}
	return nil
}

func tmpfs(at string, size int) error {
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=0755,size=%d,nr_inodes=100000", size)); err != nil {
		return fmt.Errorf("empty %s: %w", strings.TrimPrefix(at, base), err)
	}
	return nil
}

// bind shows a path of the old root at the same place of the new one,
// read-only with everything that is mounted below it. What does not exist is
// left out, unless it must be there.
func bind(path string, must bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !must:
		return nil
	case err != nil:
		return fmt.Errorf("showing %s: %w", path, err)
	case info.Mode()&fs.ModeSymlink != 0 && !must: // /bin -> usr/bin
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(to, base+path)
	}
	if info, err = os.Stat(path); err != nil {
		return fmt.Errorf("showing %s: %w", path, err)
	}
	if info.IsDir() {
		err = directory(path)
	} else {
		err = emptyFile(path)
	}
	if err != nil {
		return err
	}
	return attach(path, base+path, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

func emptyFile(path string) error {
	if _, err := os.Lstat(base + path); err == nil {
		return nil
	}
	if err := directory(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(base+path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%s in the new root: %w", path, err)
	}
	return f.Close()
}

func attach(from, to string, attributes uint64) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("showing %s: %w", from, err)
	}
	defer unix.Close(fd)
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes}); err != nil {
		return fmt.Errorf("%s read-only: %w", from, err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("showing %s: %w", from, err)
	}
	return nil
}

// mask puts nothing in the place of a file or directory.
func mask(path string) error {
	info, err := os.Stat(base + path)
	switch {
	case err != nil: // nobody sees it
		return nil
	case info.IsDir():
		if err := tmpfs(base+path, 4096); err != nil {
			return err
		}
		return readOnly(base + path)
	}
	return attach("/dev/null", base+path, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID)
}

func readOnly(at string) error {
	if err := unix.MountSetattr(unix.AT_FDCWD, at, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	return nil
}

// devices makes a /dev of what cannot hurt.
func devices() error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		if err := emptyFile("/dev/" + name); err != nil {
			return err
		}
		if err := attach("/dev/"+name, base+"/dev/"+name, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, base+"/dev/"+name); err != nil {
			return err
		}
	}
	if err := directory("/dev/shm"); err != nil {
		return err
	}
	if err := tmpfs(base+"/dev/shm", maxShared); err != nil {
		return err
	}
	if err := directory("/var"); err != nil {
		return err
	}
	return os.Symlink("/tmp", base+"/var/tmp")
}

// overlay shows a cache with what the server writes there in memory. A kernel
// that cannot do this for users shows it read-only.
func overlay(dir string, n int) error {
	if err := directory(dir); err != nil {
		return err
	}
	upper, work := "/.caches/"+strconv.Itoa(n)+"/upper", "/.caches/"+strconv.Itoa(n)+"/work"
	for _, d := range []string{upper, work} {
		if err := directory(d); err != nil {
			return err
		}
	}
	if !strings.ContainsAny(dir, `,:\`) { // they would end the option
		options := "lowerdir=" + dir + ",upperdir=" + base + upper + ",workdir=" + base + work + ",userxattr"
		if unix.Mount("overlay", base+dir, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options) == nil {
			return nil
		}
	}
	return attach(dir, base+dir, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// pivot makes base the root and takes the old one away.
func pivot() error {
	if err := directory("/.old"); err != nil {
		return err
	}
	if err := unix.PivotRoot(base, base+"/.old"); err != nil {
		return fmt.Errorf("new root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/.old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("taking the old root away: %w", err)
	}
	if err := os.Remove("/.old"); err != nil {
		return err
	}
	return readOnly("/")
}

// closeDoors takes away what a server could use for more than it was given:
// namespaces in which it would have capabilities again, the session's keys,
// and more processes than its limit where the kernel counts them for a
// namespace (Linux 6.14; before that the file is the whole machine's).
func closeDoors() error {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return fmt.Errorf("no further namespaces: %w", err)
	}
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("keyring: %w", err)
	}
	if kernelAtLeast(6, 14) {
		_ = os.WriteFile("/proc/sys/kernel/pid_max", []byte(strconv.Itoa(maxProcesses)), 0) // the supervisor counts as well
	}
	return nil
}

func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var have [2]int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &have[0], &have[1]); n != 2 {
		return false
	}
	return have[0] > major || have[0] == major && have[1] >= minor
}

// loopbackUp switches on the only interface of a network namespace of its own,
// for servers that talk to themselves.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
