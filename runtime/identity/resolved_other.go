//go:build !linux

package identity

import "errors"

func serversOf(int) ([]command, error) {
	return nil, errors.New("the processes below a launcher are read on Linux only")
}
