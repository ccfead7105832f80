//go:build race

package audit

// killRounds is how often TestKill kills a writer; under the race detector a
// process starts slowly.
const killRounds = 20
