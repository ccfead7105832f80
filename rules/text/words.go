package text

import "math/bits"

// Eight bytes at a time: the lowest byte is the first of the text.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// Letters is how many bytes of eight, the first the lowest, are letters of ASCII
// in lower case before one that is not.
func Letters(eight uint64) int {
	seven := eight &^ highs
	from, above := seven+(0x80-'a')*ones, seven+(0x7f-'z')*ones
	return bits.TrailingZeros64(^(from&^above&^eight)&highs) / 8
}
