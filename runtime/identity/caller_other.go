//go:build !linux && !windows

package identity

// ancestor is not known without cgo.
func ancestor() ([]string, error) { return nil, nil }
