package launch

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// maxCommands bounds the simple commands that are read of one line.
const maxCommands = 32

// Split takes a line apart as a POSIX shell does (XCU 2.2 and 2.3): quotes and
// backslashes are taken off, nothing is expanded. Every word keeps its place;
// a word that is one stretch of the line maps byte by byte, one that is glued
// from several quoted parts is covered whole.
//
// It is false when a quote is left open, or when the line is more than one
// simple command (| ; & && || < > ` $( or a line break). The words of the
// first simple command are returned all the same.
func Split(line analyzers.Text) ([]analyzers.Text, bool) {
	s := splitter{line: line, dialect: posix}
	s.run(1)
	if len(s.commands) == 0 {
		return nil, s.plain()
	}
	return s.commands[0], s.plain()
}

// dialect is how a command interpreter reads quotes and operators.
type dialect struct {
	single    bool   // ' quotes
	escape    byte   // outside quotes
	inDouble  string // what escape may stand before inside double quotes; "*" is anything
	operators string
	comment   bool
	subst     bool // $( and ` run commands
}

var (
	posix      = dialect{single: true, escape: '\\', inDouble: "$`\"\\\n", operators: "|;&<>()\n\r", comment: true, subst: true}
	cmdExe     = dialect{escape: '^', operators: "|&<>()\n\r"}
	powerShell = dialect{single: true, escape: '`', inDouble: "*", operators: "|;&<>(){}\n\r", comment: true, subst: true}
)

// splitter reads a line once, left to right.
type splitter struct {
	line analyzers.Text
	dialect
	commands [][]analyzers.Text
	operator bool // ended or redirected a command
	dynamic  bool // holds a command substitution
	open     bool // a quote is not closed
	cut      bool // more commands than were asked for
	mark     int  // first mark of line.Map that may lie inside the next word
}

func (s *splitter) plain() bool { return !s.operator && !s.dynamic && !s.open }

// run reads at most limit simple commands. Words behind a redirection are
// files, not arguments: they are left out.
func (s *splitter) run(limit int) {
	text := s.line.Raw()
	var words []analyzers.Text
	redirect := false
	end := func() {
		if len(words) > 0 {
			s.commands = append(s.commands, words)
		}
		words, redirect = nil, false
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t':
			i++
		case c == s.escape && i+1 < len(text) && text[i+1] == '\n':
			i += 2
		case s.comment && c == '#':
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				i = len(text)
			} else {
				i += n
			}
		case strings.IndexByte(s.operators, c) >= 0:
			s.operator = true
			if c == '<' || c == '>' {
				redirect = true
				for i++; i < len(text) && strings.IndexByte("<>&|-", text[i]) >= 0; i++ {
				}
				continue
			}
			i++
			end()
			if len(s.commands) >= limit {
				s.cut = i < len(text)
				return
			}
		default:
			word, next := s.word(text, i)
			fd := next < len(text) && (text[next] == '<' || text[next] == '>') && digits(word.Raw()) && len(word.Raw()) == next-i
			if !redirect && !fd {
				words = append(words, word)
			}
			redirect = false
			i = next
		}
	}
	end()
}

// word reads the word at start and returns where it ends.
func (s *splitter) word(text string, start int) (analyzers.Text, int) {
	var built strings.Builder
	parts := 0
	from, to := start, start // the only part, while there is one
	add := func(a, b int) {
		switch {
		case parts > 0 && a == to && built.Len() == 0:
			to = b
			return
		case parts == 0:
			from, to = a, b
		default:
			if built.Len() == 0 && parts == 1 {
				built.WriteString(text[from:to])
			}
			built.WriteString(text[a:b])
		}
		parts++
	}
	i := start
	for i < len(text) {
		c := text[i]
		if c == ' ' || c == '\t' || strings.IndexByte(s.operators, c) >= 0 && !(c == '(' && i > 0 && text[i-1] == '$') {
			break
		}
		switch {
		case c == s.escape && i+1 < len(text):
			if text[i+1] != '\n' {
				add(i+1, i+2)
			}
			i += 2
		case c == '\'' && s.single:
			n := strings.IndexByte(text[i+1:], '\'')
			if n < 0 {
				s.open, n = true, len(text)-i-1
			}
			add(i+1, i+1+n)
			i = min(i+n+2, len(text))
		case c == '"':
			i = s.double(text, i+1, add)
		default:
			s.dynamic = s.dynamic || s.starts(text, i)
			add(i, i+1)
			i++
		}
	}
	if parts <= 1 {
		return s.slice(from, to), i
	}
	return s.stretch(start, i, built.String()), i
}

// double reads the inside of double quotes and returns what follows them.
func (s *splitter) double(text string, i int, add func(a, b int)) int {
	from := i
	for i < len(text) {
		switch c := text[i]; {
		case c == '"':
			add(from, i)
			return i + 1
		case c == s.escape && i+1 < len(text) && (s.inDouble == "*" || strings.IndexByte(s.inDouble, text[i+1]) >= 0):
			add(from, i)
			from = i + 1
			if text[i+1] == '\n' {
				from++
			}
			i += 2
		default:
			s.dynamic = s.dynamic || s.starts(text, i)
			i++
		}
	}
	s.open = true
	add(from, i)
	return i
}

// starts reports whether a command substitution begins at i.
func (s *splitter) starts(text string, i int) bool {
	return s.subst && (text[i] == '`' && s.escape != '`' || text[i] == '$' && i+1 < len(text) && text[i+1] == '(')
}

// slice is s.line.Slice with a cursor: words ascend, so that all of them
// together read the map once.
func (s *splitter) slice(start, end int) analyzers.Text {
	span := s.line.At(start, end)
	t := analyzers.Text{Value: s.line.Value[start:end], Span: span}
	if span.IsZero() || len(s.line.Map) == 0 {
		return t
	}
	marks := s.line.Map
	identical := span.End-span.Start == end-start && string(span.Raw()) == t.Raw()
	for s.mark < len(marks) && marks[s.mark].Decoded <= start {
		s.mark++
	}
	offset := span.Start - s.line.Span.Start
	m := analyzers.OffsetMap{{}}
	for ; s.mark < len(marks) && marks[s.mark].Decoded < end; s.mark++ {
		m = append(m, analyzers.Mark{Decoded: marks[s.mark].Decoded - start, Raw: marks[s.mark].Raw - offset})
	}
	switch {
	case identical:
	case len(m) == 1:
		t.Map = opaque(end-start, span)
	default:
		t.Map = append(m, analyzers.Mark{Decoded: end - start, Raw: span.End - span.Start})
	}
	return t
}

// stretch is a word that differs from the line's text: its place is [start,
// end), without an inside.
func (s *splitter) stretch(start, end int, value string) analyzers.Text {
	span := s.line.At(start, end)
	t := analyzers.Text{Value: analyzers.Untrusted(value), Span: span}
	if !span.IsZero() {
		t.Map = opaque(len(value), span)
	}
	return t
}

// opaque maps a value of n bytes onto a place without an inside. Equal lengths
// would mean byte by byte: then the last byte gets a stretch of its own.
func opaque(n int, span analyzers.Span) analyzers.OffsetMap {
	raw := span.End - span.Start
	if n == raw && n > 1 {
		return analyzers.OffsetMap{{}, {Decoded: n - 1, Raw: raw}, {Decoded: n, Raw: raw}}
	}
	return analyzers.OffsetMap{{}, {Decoded: n, Raw: raw}}
}

// join is several words as one text, the way an interpreter that takes the
// rest of its command line sees them.
func join(words []analyzers.Text) analyzers.Text {
	switch len(words) {
	case 0:
		return analyzers.Text{}
	case 1:
		return words[0]
	}
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if strings.ContainsAny(w.Raw(), " \t") {
			b.WriteString(`"` + w.Raw() + `"`)
		} else {
			b.WriteString(w.Raw())
		}
	}
	t := analyzers.Text{Value: analyzers.Untrusted(b.String())}
	first, last := words[0].Span, words[len(words)-1].Span
	if !first.IsZero() && first.Source == last.Source && first.Start <= last.End {
		t.Span = first.Source.Span(first.Start, last.End)
		t.Map = opaque(b.Len(), t.Span)
	}
	return t
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
