//go:build !linux

package live_test

var linuxServers map[string]func()
