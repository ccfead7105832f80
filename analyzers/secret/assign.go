package secret

import "strings"

// assigned judges "name = value" in running text, in the spellings of
// variables, JSON, YAML, headers, flags and connection strings. i is inside the
// name. Prose and code put all sorts of things behind a name, so that the value
// has to look like a secret as well.
func (s *scanner) assigned(i int) {
	const in = alnumBar | dash | dot
	text := s.text
	if i < s.valueEnd {
		return
	}
	start := i
	for start > 0 && i-start < 64 && in.has(text[start-1]) {
		start--
	}
	end := in.run(text, i, 40)
	if end == len(text) || text[end] != ' ' && text[end] != '=' && text[end] != ':' && text[end] != '"' && text[end] != '\'' && text[end] != '\\' && text[end] != '\t' && text[end] != '`' {
		return
	}
	name := text[start:end]
	at, quoted, ok := value(text, end, strings.HasPrefix(name, "--"))
	if !ok {
		return
	}
	stop := at
	limit := min(len(text), at+512)
	for stop < limit && !ends(text[stop], quoted) {
		stop++
	}
	if quoted == 0 {
		s.valueEnd = stop
	}
	if stop-at < shortPass || strings.IndexByte("{[(<$", text[at]) >= 0 && quoted == 0 || stop == limit && limit < len(text) || quoted != 0 && stop == len(text) {
		return
	}
	v := text[at:stop]
	for quoted == 0 && len(v) > 0 && (v[len(v)-1] == '.' || v[len(v)-1] == ',') {
		v = v[:len(v)-1]
	}
	kind, from, to := judge(name, v)
	if kind == "" || quoted == 0 && strings.ContainsAny(v, "(){}[]<>$") {
		return
	}
	if n := count(v[from:to]); kind == "password" {
		dsn := connection(text[max(0, start-256):start])
		switch {
		case dsn:
			kind = "connection-string"
		case n.letters()+n.digit == 0 || n.digit == 0 && (n.other == 0 || n.upper == 0) || n.letters() == 0 && len(v) < 6 || len(v) < 6:
			return
		case quoted == 0 && (dotted(v) || wordy(v) && n.other > 0):
			return
		}
	} else if n.digit == 0 && !random(v[from:to]) || dotted(v[from:to]) {
		return
	}
	s.add(kind, at+from, at+to, byName)
}

// value finds where the value behind a name starts, and its quote.
func value(text string, i int, flag bool) (at int, quote byte, ok bool) {
	skip := func(b byte) {
		for i < len(text) && (text[i] == b || text[i] == '\t' && b == ' ') {
			i++
		}
	}
	mark := i
	skip('\\')
	if i < len(text) && (text[i] == '"' || text[i] == '\'' || text[i] == '`') {
		i++
	} else if i != mark {
		return 0, 0, false
	}
	spaces := i
	skip(' ')
	switch {
	case i < len(text) && (text[i] == ':' || text[i] == '='):
		if i++; i < len(text) && (text[i] == '=' || text[i] == '>') {
			if i++; text[i-1] == '=' && text[i-2] == '=' {
				return 0, 0, false // a comparison
			}
		}
	case !flag || i == spaces:
		return 0, 0, false
	}
	skip(' ')
	escaped := i
	skip('\\')
	if i < len(text) && (text[i] == '"' || text[i] == '\'' || text[i] == '`') {
		return i + 1, text[i], true
	}
	return escaped, 0, true
}

func ends(b, quoted byte) bool {
	if quoted != 0 {
		return b == quoted || b == '\n' || b == '\\'
	}
	return b <= ' ' || strings.IndexByte("\"'`,;&|\\", b) >= 0
}

// connection reports whether the text in front of a password is a connection
// string of ADO, ODBC or libpq.
func connection(before string) bool {
	if i := strings.LastIndexAny(before, "\n\""); i >= 0 {
		before = before[i+1:]
	}
	low := strings.ToLower(before)
	for _, part := range []string{"server=", "data source=", "host=", "user id=", "uid=", "dbname=", "initial catalog="} {
		if strings.Contains(low, part) {
			return true
		}
	}
	return false
}

// dotted reports whether v is a chain of identifiers: req.body.password1.
func dotted(v string) bool {
	parts := strings.Split(v, ".")
	for _, p := range parts {
		if p == "" || digit.has(p[0]) || !alnumBar.all(p) || len(p) > 20 {
			return false
		}
	}
	return len(parts) > 1
}
