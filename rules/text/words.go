package text

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time: the lowest byte is the first of the text.
const (
	ones   = 0x0101010101010101
	highs  = 0x80 * ones
	blanks = ' ' * ones // what makes capitals small
)

// Eight is the eight bytes of s from i on, the first the lowest, and zeros
// behind its end.
func Eight(s string, i int) uint64 {
	if i+8 <= len(s) {
		return binary.LittleEndian.Uint64([]byte(s[i : i+8])) // without a copy
	}
	return last(s, i)
}

// last is Eight where less than eight bytes are left.
func last(s string, i int) (x uint64) {
	for k := len(s) - 1; k >= i; k-- {
		x = x<<8 | uint64(s[k])
	}
	return x
}

// Letters is how many bytes of eight, the first the lowest, are letters of ASCII
// in lower case before one that is not.
func Letters(eight uint64) int {
	seven := eight &^ highs
	from, above := seven+(0x80-'a')*ones, seven+(0x7f-'z')*ones
	return bits.TrailingZeros64(^(from&^above&^eight)&highs) / 8
}

// ASCII is a number of bytes at the beginning of s that are ASCII: all of them,
// or up to seven fewer than there are.
func ASCII(s string) int {
	n := 0
	for n+8 <= len(s) && Eight(s, n)&highs == 0 {
		n += 8
	}
	if n+8 > len(s) && Eight(s, n)&highs == 0 {
		n = len(s)
	}
	return n
}
