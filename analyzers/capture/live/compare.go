package live

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gowebpki/jcs"
)

// compare notes how a later list differs from the capture's. What appears only
// later becomes part of the capture, so that it is judged.
func (c *Capture) compare(later []Definition, when string) {
	was, keys := byName(c.Definitions), names(c.Definitions)
	now := byName(later)
	for _, key := range names(later) {
		d := now[key]
		switch before, known := was[key]; {
		case !known:
			c.note(Observation{Kind: "appeared", Subject: d.subject(), Detail: "appeared only " + when})
			c.Definitions = append(c.Definitions, d)
		case !same(before.Raw, d.Raw):
			c.note(Observation{Kind: "changed", Subject: d.subject(), Detail: "was another one " + when, Definition: d.Raw})
		}
	}
	for _, key := range keys {
		if _, there := now[key]; !there {
			c.note(Observation{Kind: "vanished", Subject: was[key].subject(), Detail: "was missing " + when})
		}
	}
}

// names are the definitions' names, each unique: what is listed twice is
// numbered.
func names(all []Definition) []string {
	seen := map[string]int{}
	out := make([]string, len(all))
	for i, d := range all {
		key := d.Kind + "\x00" + d.Name
		seen[key]++
		out[i] = fmt.Sprintf("%s\x00%d", key, seen[key])
	}
	return out
}

func byName(all []Definition) map[string]Definition {
	out := make(map[string]Definition, len(all))
	for i, key := range names(all) {
		out[key] = all[i]
	}
	return out
}

// compareText is compare for what a server says of itself in each connection.
func (c *Capture) compareText(subject string, first, second json.RawMessage) {
	if !same(first, second) {
		c.note(Observation{Kind: "changed", Subject: subject, Detail: "was another one in a second connection", Definition: second})
	}
}

// maxNoted bounds the differences of a server that makes its lists up.
const maxNoted = 200

func (c *Capture) note(o Observation) {
	if len(c.Observations) < maxNoted {
		c.Observations = append(c.Observations, o)
	}
}

// same reports whether two JSON texts say the same: white space, order of
// members and the spelling of numbers and strings do not count (RFC 8785).
// What has no canonical form is compared byte by byte.
func same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	// jcs takes objects and lists alone.
	wrap := func(raw json.RawMessage) ([]byte, error) {
		return jcs.Transform(append(append([]byte("["), raw...), ']'))
	}
	x, err := wrap(a)
	if err != nil {
		return false
	}
	y, err := wrap(b)
	return err == nil && bytes.Equal(x, y)
}
