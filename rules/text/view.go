package text

// Kind says how a view was made.
type Kind uint8

const (
	Raw     Kind = iota // the text as it is
	Normal              // without disguise, in lower case
	Hidden              // what invisible characters spell, normalised
	Decoded             // the text with encodings taken off, normalised
)

func (k Kind) String() string {
	return [...]string{"raw", "normal", "hidden", "decoded"}[min(k, Decoded)]
}

// View is one reading of a text.
type View struct {
	Kind  Kind
	Depth int // layers of encoding that were taken off, 0 to Limits.Depth
	Text  string
	Map   Map    // from Text to the raw text
	Notes []Note // what was seen in making the view
}

// Limits bounds what Views does. A field that is not positive means its default.
type Limits struct {
	Text    int // bytes of raw text that are looked at: 4 MB
	Depth   int // layers of encoding: 3
	Decoded int // bytes that all decoding may bring: 256 KB, and never more than 4 times the raw text
	Views   int // 16, at least 2
	Notes   int // of one kind, in one view: 16
}

// longestText is the default of Limits.Text.
const longestText = 4 << 20

func (l Limits) filled(raw int) Limits {
	or := func(v *int, standard int) {
		if *v <= 0 {
			*v = standard
		}
	}
	or(&l.Text, longestText)
	or(&l.Depth, 3)
	or(&l.Decoded, 256<<10)
	or(&l.Views, 16)
	or(&l.Notes, 16)
	l.Text = min(l.Text, 1<<30) // offsets of a Map are 32 bits wide
	l.Decoded = min(l.Decoded, 4*raw)
	l.Views = max(l.Views, 2)
	return l
}

// Views lays raw out: always the raw and the normal view, in this order, then a
// hidden view where invisible characters spell something, and decoded views
// where something is encoded, one a layer. A decoded view is the whole text
// with every encoded run replaced, so that a sentence of which a part is
// encoded is whole. Text need not be valid UTF-8; of normalised views it is.
func Views(raw string, limits Limits) []View {
	views, _ := layOut(raw, limits)
	return views
}

// layOut also tells whether raw has no marks at all.
func layOut(raw string, limits Limits) (views []View, plain bool) {
	seen := survey(raw)
	if seen == 0 && len(raw) <= limits.filled(0).Text {
		return plainViews(raw), true
	}
	v := viewer{limits: limits.filled(len(raw)), size: len(raw)}
	v.left = v.limits.Decoded
	notes := v.notebook()
	src := mapped{text: raw}
	if len(raw) > v.limits.Text {
		v.size = runeStart(raw, v.limits.Text)
		src.text = raw[:v.size]
		notes.add(Limit, v.size, len(raw), "")
	}
	var secret mapped
	if seen&(nonASCII|control|padding) != 0 {
		secret = hidden(src, v.size, notes)
	}
	v.views = append(make([]View, 0, 4), View{Kind: Raw, Text: raw, Notes: notes.notes})
	v.normal(Normal, 0, src, v.notebook())
	if seen&(nonASCII|control|entities|encoded|turned) != 0 {
		v.hide(secret, 0)
		if v.size < len(raw) {
			seen = survey(src.text)
		}
		v.decode(src, seen, 0)
	}
	return v.views, false
}

// Overt returns the views of a text that hides nothing: ASCII without control
// characters, padding and encodings, with no disguise to note. It may have the
// dress of Markdown. For all others it is nil.
func Overt(raw string) []View {
	switch seen := survey(raw); {
	case len(raw) > longestText || seen&^dress != 0:
		return nil
	case seen == 0:
		return plainViews(raw)
	}
	views := Views(raw, Limits{})
	for i := range views {
		if len(views[i].Notes) > 0 {
			return nil
		}
	}
	return views
}

// Fold writes s as the normaliser does. Patterns for normalised views go
// through it.
func Fold(s string) string {
	if survey(s) == 0 {
		return plainViews(s)[1].Text
	}
	return normalise(mapped{text: s}, len(s), &notebook{}).text
}

type viewer struct {
	limits Limits
	size   int // of the raw text
	left   int // bytes that decoding may still bring
	views  []View
}

func (v *viewer) notebook() *notebook { return &notebook{most: v.limits.Notes} }

func (v *viewer) full() bool { return len(v.views) >= v.limits.Views }

func (v *viewer) normal(kind Kind, depth int, src mapped, notes *notebook) {
	out := normalise(src, v.size, notes)
	v.views = append(v.views, View{kind, depth, out.text, out.back, notes.notes})
}

// hide adds the view of what invisible characters spell, and what is encoded in it.
func (v *viewer) hide(secret mapped, depth int) {
	if secret.text == "" || v.full() {
		return
	}
	v.normal(Hidden, depth, secret, v.notebook())
	v.decode(secret, survey(secret.text), depth)
}

// decode adds a view for every layer of encoding of src, in which survey has
// seen marks.
func (v *viewer) decode(src mapped, seen marks, depth int) {
	for {
		bare, changed := unveil(src, v.size)
		if src = bare; changed {
			seen = survey(src.text)
		}
		if seen&(encoded|turned) == 0 {
			return
		}
		notes := v.notebook()
		d := decoder{src: src, size: v.size, left: v.left, notes: notes}
		out, found := d.layer()
		if d.short {
			v.stop(0, v.size)
		}
		if !found {
			return
		}
		if depth >= v.limits.Depth || v.full() {
			v.stop(d.first, d.last)
			return
		}
		v.left = d.left
		depth++
		secret := hidden(out, v.size, notes)
		v.normal(Decoded, depth, out, notes)
		v.hide(secret, depth)
		src, seen = out, survey(out.text)
	}
}

// stop notes with the raw view that a bound was met.
func (v *viewer) stop(from, to int) {
	raw := &v.views[0]
	for _, n := range raw.Notes {
		if n.Kind == Limit && n.Start == from && n.End == to {
			return
		}
	}
	raw.Notes = append(raw.Notes, Note{Kind: Limit, Start: from, End: to})
}
