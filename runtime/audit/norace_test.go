//go:build !race

package audit

// killRounds is how often TestKill kills a writer.
const killRounds = 200
