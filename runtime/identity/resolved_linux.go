package identity

import "fmt"

// maxStarted bounds the processes that are looked at below one launcher.
const maxStarted = 256

// serversOf is the processes that a launcher started, itself when it became
// the server (execve).
func serversOf(pid int) ([]command, error) {
	tree, err := children()
	if err != nil {
		return nil, err
	}
	var out []command
	seen := 0
	var walk func(pid int, above bool) error
	walk = func(pid int, above bool) error {
		if seen++; seen > maxStarted {
			return fmt.Errorf("more than %d processes were started", maxStarted)
		}
		p, err := readProcess(pid)
		if err != nil {
			return err
		}
		c := command{p.exe, p.argv, p.cwd}
		if above && (launches(c) || passes(c)) {
			for _, child := range tree[pid] {
				if err := walk(child, true); err != nil {
					return err
				}
			}
			return nil
		}
		out = append(out, c)
		return nil
	}
	if err := walk(pid, true); err != nil {
		return nil, err
	}
	return out, nil
}
