package secret

import (
	"encoding/base64"
	"strings"
)

// scanner is one pass over one text.
type scanner struct {
	text   string
	unwrap bool // look under base64
	found  []finding
	urlEnd int // the URL around the last "://" ends here: its parameters are judged
	// valueEnd is the end of the last value without quotes: what is inside it
	// is not judged again.
	valueEnd int
}

func (s *scanner) add(kind string, start, end, rank int) {
	if start < end && (kind == "private-key" || kind == "gcp-service-account" || !Placeholder(s.text[start:end])) {
		s.found = append(s.found, finding{Match{kind, start, end}, rank})
	}
}

// anchor is a literal that every credential of some sort contains. at is the
// place in it of its three-byte piece that the filter looks for.
type anchor struct {
	literal string
	fold    bool // in any case
	at      int
	format  *format // nil where look decides
	look    look
}

// look says who judges the place of an anchor that is no format's prefix.
type look int

const (
	byPem look = iota
	byPutty
	byJwt
	byUrl
	byBearer
	byBasic
	byTelegram
	byEntra
	byTerraform
	byAssigned
)

func (s *scanner) look(by look, at int) {
	switch by {
	case byPem:
		s.pem(at)
	case byPutty:
		s.putty(at)
	case byJwt:
		s.jwt(at)
	case byUrl:
		s.url(at)
	case byBearer:
		s.bearer(at)
	case byBasic:
		s.basic(at)
	case byTelegram:
		s.telegram(at)
	case byEntra:
		s.entra(at)
	case byTerraform:
		s.terraform(at)
	case byAssigned:
		s.assigned(at)
	}
}

const filterBits = 13

// filter maps the hash of three bytes, folded to one case, to the anchors that
// contain them: 0 is none, n is anchors[n-1].
type filter struct {
	slot    [1 << filterBits]uint8
	anchors [][]anchor
}

var literals = newFilter()

func newFilter() *filter {
	f := new(filter)
	for i := range formats {
		for _, p := range formats[i].prefixes {
			f.add(anchor{literal: p, format: &formats[i]})
		}
	}
	for _, a := range []anchor{
		{literal: "-BEGIN ", look: byPem},
		{literal: "Private-Lines:", look: byPutty},
		{literal: "eyJ", look: byJwt},
		{literal: "://", look: byUrl},
		{literal: "Bearer ", fold: true, look: byBearer},
		{literal: "Basic ", fold: true, look: byBasic},
		{literal: ":AA", look: byTelegram},
		{literal: "7Q~", look: byEntra},
		{literal: "8Q~", look: byEntra},
		{literal: ".atlasv1.", look: byTerraform},
		{literal: "ssw", fold: true, look: byAssigned}, // password, passwd
		{literal: "ssphra", fold: true, look: byAssigned},
		{literal: "pwd", fold: true, look: byAssigned},
		{literal: "token", fold: true, look: byAssigned},
		{literal: "secret", fold: true, look: byAssigned},
		{literal: "credential", fold: true, look: byAssigned},
		{literal: "key", fold: true, look: byAssigned},
		{literal: "zation", fold: true, look: byAssigned}, // authorization
	} {
		f.add(a)
	}
	return f
}

// add files the anchor under its rarest piece: the one with the fewest letters.
func (f *filter) add(a anchor) {
	best := -1
	for i := 0; i+3 <= len(a.literal); i++ {
		n := 0
		for _, b := range []byte(a.literal[i : i+3]) {
			if !alnum.has(b) || digit.has(b) {
				n++
			}
		}
		if n > best {
			best, a.at = n, i
		}
	}
	h := hash(fold3(a.literal[a.at:]))
	if f.slot[h] == 0 {
		f.anchors = append(f.anchors, nil)
		f.slot[h] = uint8(len(f.anchors))
	}
	n := f.slot[h] - 1
	f.anchors[n] = append(f.anchors[n], a)
}

func fold3(t string) uint32 {
	return uint32(t[0]|0x20)<<16 | uint32(t[1]|0x20)<<8 | uint32(t[2]|0x20)
}

func hash(piece uint32) uint32 { return piece * 0x9e3779b1 >> (32 - filterBits) }

// literals looks at every place that holds an anchor.
func (s *scanner) literals() {
	f, text := literals, s.text
	piece := uint32(0)
	for i := 0; i < len(text); i++ {
		piece = (piece<<8 | uint32(text[i]|0x20)) & 0xffffff
		n := f.slot[hash(piece)]
		if n == 0 || i < 2 {
			continue
		}
		for j := range f.anchors[n-1] {
			a := &f.anchors[n-1][j]
			at := i - 2 - a.at
			if at < 0 || !(strings.HasPrefix(text[at:], a.literal) || a.fold && hasPrefixFold(text[at:], a.literal)) {
				continue
			}
			if a.format == nil {
				s.look(a.look, at)
			} else if end, ok := a.format.match(text, at, len(a.literal)); ok {
				s.add(a.format.kind, at, end, byFormat)
			}
		}
	}
}

const shortestRun = 24 // of what runs looks at

// runs looks at every long run of base64 characters: a run of that length
// crosses a multiple of it, so most bytes are never read.
func (s *scanner) runs() {
	const in = url64 | slash
	text := s.text
	for i := shortestRun - 1; i < len(text); i += shortestRun {
		if !in.has(text[i]) {
			continue
		}
		start, end := i, in.run(text, i, len(text))
		for start > 0 && in.has(text[start-1]) && i-start < shortestRun {
			start--
		}
		if end-start >= shortestRun {
			for start > 0 && in.has(text[start-1]) {
				start--
			}
			s.run(start, end)
		}
		i += (end - i) / shortestRun * shortestRun
	}
}

func (s *scanner) run(start, end int) {
	run := s.text[start:end]
	switch {
	case len(run) == 34 && run[:2] == "SK" && hexLow.all(run[2:]) && count(run).distinct > 7:
		s.add("twilio-key", start, end, byFormat)
	case len(run) >= 36 && len(run) <= 38 && run[32:35] == "-us" && hexLow.all(run[:32]) && digit.all(run[35:]):
		s.add("mailchimp-key", start, end, byFormat)
	case len(run) <= 28 && strings.HasPrefix(s.text[end:], "."):
		s.discord(start, end)
	}
	if s.unwrap {
		s.wrapped(start, end)
	}
}

// discord: the first part of a bot token is its user's number in base64.
func (s *scanner) discord(start, end int) {
	id, err := base64.RawURLEncoding.DecodeString(s.text[start:end])
	if err != nil || !digit.all(string(id)) {
		return
	}
	stamp := url64.run(s.text, end+1, 16)
	if stamp-end-1 < 5 || stamp-end-1 > 8 || !strings.HasPrefix(s.text[stamp:], ".") {
		return
	}
	last := url64.run(s.text, stamp+1, 64)
	if n := last - stamp - 1; n >= 27 && n <= 40 {
		s.add("discord-bot-token", start, last, byFormat)
	}
}

// wrapped finds credentials in text that is encoded in base64, one level deep.
func (s *scanner) wrapped(start, end int) {
	const longest = 1 << 18
	raw := s.text[start:end]
	if len(raw) > longest {
		return
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(raw, "-_") {
		encoding = base64.RawURLEncoding
	}
	if head, err := encoding.DecodeString(raw[:shortestRun]); err != nil || !printable(head) {
		return
	}
	plain, err := encoding.DecodeString(raw)
	if err != nil || !printable(plain) {
		return
	}
	if inner := find(string(plain), false); len(inner) > 0 {
		s.found = append(s.found, finding{Match{inner[0].Kind, start, equals.run(s.text, end, 2)}, byFormat})
	}
}

// printable reports whether b is ASCII text.
func printable(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
