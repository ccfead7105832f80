package runtime

import (
	"slices"
	"strings"
	"unicode"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// The bounds of what is read as one text: a value of more bytes says what it
// says by itself, and a window holds that many, of which a part is read with the
// one behind it, too.
const (
	maxPart     = 300
	joinWindow  = 8 << 10
	joinOverlap = 1 << 10
)

// split judges the values of one message as a model reads them, one behind the
// other: an order may be cut up over fields of which none says anything. Only
// what is high together counts.
func (j *judge) split(kind, called string, texts []analyzers.Field) []rules.Finding {
	parts := 0
	for _, f := range texts {
		if part(f.Text.Raw(), f.Key) {
			parts++
		}
	}
	if parts < 2 {
		return nil
	}
	var window []analyzers.Field
	size := 0
	flush := func() []rules.Finding {
		if len(window) < 2 {
			return nil
		}
		var b strings.Builder
		var ends []int
		for _, f := range window {
			raw := f.Text.Raw()
			if b.Len() > 0 && !continues(raw) {
				b.WriteString(".\n")
			} else {
				b.WriteByte(' ')
			}
			ends = append(ends, b.Len())
			b.WriteString(raw)
		}
		src := &analyzers.Source{Path: window[0].Path, Bytes: []byte(b.String())}
		whole := analyzers.Field{Path: window[0].Path, Text: analyzers.Text{Value: analyzers.Untrusted(b.String()), Span: src.Span(0, b.Len())}}
		found := slices.DeleteFunc(j.texts(kind, called, []analyzers.Field{whole}), func(f rules.Finding) bool {
			return !slices.ContainsFunc(ends, func(end int) bool { return f.Span.Start < end && end < f.Span.End })
		})
		for len(window) > 0 && size > joinOverlap {
			size -= len(window[0].Text.Raw())
			window = window[1:]
		}
		if worst(found) < rules.High {
			return nil
		}
		return found
	}
	for _, f := range texts {
		if !part(f.Text.Raw(), f.Key) {
			continue
		}
		window = append(window, f)
		if size += len(f.Text.Raw()); size > joinWindow {
			if found := flush(); found != nil {
				return found
			}
		}
	}
	return flush()
}

// part reports whether a value may be a part of what several say.
func part(raw string, key bool) bool {
	return !key && len(raw) <= maxPart && !ordinary[raw] && strings.IndexFunc(raw, unicode.IsLetter) >= 0
}

// continues reports whether a text goes on with what was said before it: it
// begins neither as a sentence does nor as an item.
func continues(text string) bool {
	for _, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		return !unicode.IsUpper(r) && !unicode.IsDigit(r) && !(strings.ContainsAny(text, "_-") && !strings.Contains(text, " "))
	}
	return true
}
