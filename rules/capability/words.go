package capability

// maxText and maxWords bound what is read of one text.
const (
	maxText  = 400
	maxWords = 48
	maxParam = 32 // bytes of a parameter's name that can mean something
	maxWord  = 24
)

// token is a word that means something, with its decoded bytes.
type token struct {
	start, end int
	meaning
}

// phrase is a name, a title or the first sentence of a description: its verbs
// and what they act on.
type phrase struct {
	tokens   [maxWords]token
	n        int
	first    int // the index of the first verb that counts
	verbs    verb
	objects  object
	direct   object // those before the first "of"
	readOnly bool   // "read-only" stands beside it
}

// read cuts text into words and finds its verbs. In a sentence the first verb
// is among the first few words, and verbs that are also nouns count only where
// a sentence begins.
func (p *phrase) read(text string, sentence bool) {
	p.cut(text, sentence)
	if !p.findFirst(sentence) {
		return
	}
	p.verbs = p.tokens[p.first].verbs
	// Verbs that are joined to the first: "create, update or delete".
	i := p.first + 1
	for i+1 < p.n && p.tokens[i].join && p.tokens[i+1].verbs != 0 && !p.tokens[i+1].stop {
		p.verbs |= p.tokens[i+1].verbs
		i += 2
	}
	// What stands before the verb counts in a name ("file_delete"), not in a
	// sentence. Behind it the words count up to one that begins another thought.
	of := false
	for j := range p.n {
		t := p.tokens[j]
		switch {
		case j < p.first && sentence && p.first > 1, j == p.first: // "email reading tool"
			continue
		case j > p.first && t.stop && j == i && sentence: // "search for files"
			continue
		}
		if j > p.first && (t.stop || t.negates) {
			break
		}
		of = of || t.of && j > p.first
		p.objects |= t.objects
		if !of {
			p.direct |= t.objects
		}
	}
	// A verb that is a noun as well names its own object: "email the customer",
	// but not "post_user".
	if t := p.tokens[p.first]; t.noun && p.objects == 0 && (sentence || t.leading || p.n == 1) {
		p.objects, p.direct = t.objects, t.objects
	}
	if p.vague(sentence) {
		p.verbs = 0
	}
}

// findFirst settles which verb the text is about: the first that is only a
// verb, else the first that may be one where it stands.
func (p *phrase) findFirst(sentence bool) bool {
	reach := p.n
	if sentence {
		reach = min(reach, 9)
	}
	soft := -1
	for i := range reach {
		t := &p.tokens[i]
		if t.negates {
			return false // "never sends": nothing is said about what it does
		}
		if t.stop && i > 0 {
			break
		}
		if sentence && soft == 0 && (t.verbs == 0 || i > 1) {
			break // "email the report" sends, "email reading tool" does not
		}
		if t.verbs == 0 {
			continue
		}
		switch {
		case !t.soft, i == 0 && t.leading && t.verbs&(look|other) != 0: // "check_updates"
			p.first = i
			return true
		case t.leading || sentence:
			if i == 0 && soft < 0 {
				soft = i
			}
		case soft < 0:
			soft = i
		}
	}
	p.first = soft
	return soft >= 0
}

// vague reports whether a name only speaks of an act: "delete_preview".
func (p *phrase) vague(sentence bool) bool {
	return !sentence && p.n > 1 && p.tokens[p.n-1].rehearsal
}

func (p *phrase) verb(of verb) token {
	for i := p.first; i < p.n; i++ {
		if p.tokens[i].verbs&of != 0 {
			return p.tokens[i]
		}
	}
	return p.tokens[p.first]
}

// object is the first word behind the verb that means one of the objects, else
// the first anywhere.
func (p *phrase) object(of object) token {
	for i := p.first; i < p.n; i++ {
		if p.tokens[i].objects&of != 0 && (i > p.first || p.tokens[i].noun) {
			return p.tokens[i]
		}
	}
	for i := range p.n {
		if p.tokens[i].objects&of != 0 {
			return p.tokens[i]
		}
	}
	return p.tokens[p.first]
}

func evidence(a, b token) (start, end int) {
	return min(a.start, b.start), max(a.end, b.end)
}

// cut fills the tokens. A sentence ends with its line, or at a full stop with
// a blank behind it.
func (p *phrase) cut(text string, sentence bool) {
	text = text[:min(len(text), maxText)]
	i := 0
	for i < len(text) && p.n < maxWords {
		c := text[i]
		if !letter(c) {
			if sentence && p.n > 0 {
				if c == '\n' || (c == '.' || c == '!' || c == '?') && (i+1 == len(text) || blank(text[i+1])) {
					return
				}
				if c == ',' || c == '/' || c == '&' {
					p.comma(i)
				} else if c == ';' || c == ':' || c == '(' {
					p.tokens[p.n] = token{i, i + 1, meaning{stop: true}}
					p.n++
				}
			}
			i++
			continue
		}
		start := i
		for i++; i < len(text) && letter(text[i]) && !boundary(text, start, i); i++ {
		}
		if i < len(text) && text[i] == '\'' { // don't, doesn't
			for i++; i < len(text) && letter(text[i]); i++ {
			}
		}
		p.word(text, start, i)
	}
}

// comma notes that verbs may go on: "create, update". Two joins in a row are
// one.
func (p *phrase) comma(at int) {
	if p.tokens[p.n-1].join {
		return
	}
	p.tokens[p.n] = token{at, at + 1, meaning{join: true}}
	p.n++
}

// word adds text[start:end], joined to the word before it where the two mean
// something together: "pull request", "read-only".
func (p *phrase) word(text string, start, end int) {
	if p.n > 0 && p.tokens[p.n-1].head && start-p.tokens[p.n-1].end <= 1 {
		prev := &p.tokens[p.n-1]
		if m, ok := pair(text[prev.start:prev.end], text[start:end]); ok {
			prev.end, prev.meaning = end, m
			if m.readOnly {
				p.readOnly = true
				p.n--
			}
			return
		}
	}
	m, _ := lookup(text[start:end])
	if m.readOnly {
		p.readOnly = true
		return
	}
	if m.join && (p.n == 0 || p.tokens[p.n-1].join) {
		return
	}
	p.tokens[p.n] = token{start, end, m}
	p.n++
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func upper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func blank(c byte) bool  { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// boundary reports whether a new word begins at i: "readFile", "HTTPRequest".
func boundary(text string, start, i int) bool {
	if !upper(text[i]) {
		return false
	}
	return !upper(text[i-1]) || i > start && i+1 < len(text) && letter(text[i+1]) && !upper(text[i+1])
}

// lookup finds a word in whatever form it stands.
func lookup(word string) (meaning, bool) {
	var buf [maxWord]byte
	w, ok := lower(buf[:0], word)
	if !ok {
		return meaning{}, false
	}
	return inflected(w)
}

// pair looks two words up together.
func pair(a, b string) (meaning, bool) {
	var buf [2*maxWord + 1]byte
	w, ok := lower(buf[:0], a)
	if !ok {
		return meaning{}, false
	}
	w = append(singular(w), ' ')
	n := len(w)
	w, ok = lower(w, b)
	if !ok {
		return meaning{}, false
	}
	m, ok := lexicon()[string(w)]
	if !ok {
		m, ok = lexicon()[string(w[:n+len(singular(w[n:]))])]
	}
	return m, ok
}

func lower(into []byte, word string) ([]byte, bool) {
	if len(word) > maxWord {
		return nil, false
	}
	for i := range len(word) {
		c := word[i]
		if upper(c) {
			c |= 0x20
		}
		into = append(into, c)
	}
	return into, true
}

func singular(w []byte) []byte {
	if n := len(w); n > 3 && w[n-1] == 's' && w[n-2] != 's' {
		return w[:n-1]
	}
	return w
}

// inflected looks up a lower-case word, then the forms it may be an inflection
// of: deletes, deleting, deleted, queries, running.
func inflected(w []byte) (meaning, bool) {
	if m, ok := lexicon()[string(w)]; ok {
		return m, true
	}
	n := len(w)
	try := func(end int, tail byte) (meaning, bool) {
		var buf [maxWord + 1]byte
		base := append(buf[:0], w[:end]...)
		if tail != 0 {
			base = append(base, tail)
		}
		m, ok := lexicon()[string(base)]
		return m, ok
	}
	ends := func(suffix string) bool { return n > len(suffix)+1 && string(w[n-len(suffix):]) == suffix }
	switch {
	case ends("ies"):
		return try(n-3, 'y')
	case ends("s"):
		if m, ok := try(n-1, 0); ok {
			return m, ok
		}
		if ends("es") {
			return try(n-2, 0)
		}
	case ends("ing"):
		if m, ok := try(n-3, 0); ok {
			return m, ok
		}
		if m, ok := try(n-3, 'e'); ok {
			return m, ok
		}
		if n > 5 && w[n-4] == w[n-5] {
			return try(n-4, 0)
		}
	}
	return meaning{}, false
}
