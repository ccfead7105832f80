package text

// NoteKind says what a Note is about.
type NoteKind uint8

// What is hidden in a text.
const (
	ZeroWidth  NoteKind = iota + 1 // zero-width characters that no script and no emoji explains
	Bidi                           // controls of direction: overrides, unpaired ones, and any where nothing is written from the right
	Tags                           // characters of the tag block; Decoded is what they spell
	Selectors                      // variation selectors that select nothing; Decoded is what they spell, if it is text
	PrivateUse                     // characters without a meaning
	SoftHyphen                     // soft hyphens where no word would be divided
	ANSI                           // sequences that a terminal obeys; Decoded is the sequence without its ESC
	Control                        // other control characters
	Blank                          // letters that are drawn as nothing
	Padding                        // white space that pushes the text behind it out of sight
	Combining                      // marks piled on letters
	Invalid                        // bytes that are no UTF-8, and U+FFFD
)

// How words are disguised; Decoded is the word without its disguise.
const (
	Lookalike NoteKind = iota + Invalid + 1 // letters of a script that pass for those of another
	Styled                                  // letters from the blocks of mathematical, enclosed or full-width letters
	Leet                                    // digits and signs for letters
	Spaced                                  // letters set apart
)

// What text was encoded in; Decoded is the text.
const (
	Base64   NoteKind = iota + Spaced + 1
	Hex               // pairs of hexadecimal digits
	Percent           // %69, where nothing has to be written so
	Escape            // \u0069 and \x69, where nothing has to be written so
	Quoted            // =69: quoted-printable
	ROT13             // letters turned by half of the alphabet
	Reversed          // written backwards
)

// Limit marks what was not looked at because a bound of Limits was met.
const Limit NoteKind = Reversed + 1

var noteNames = [...]string{
	ZeroWidth: "zero-width", Bidi: "bidi", Tags: "tags", Selectors: "variation-selectors", PrivateUse: "private-use", SoftHyphen: "soft-hyphen",
	ANSI: "ansi", Control: "control", Blank: "blank", Padding: "padding", Combining: "combining-marks", Invalid: "invalid", Lookalike: "lookalike",
	Styled: "styled", Leet: "leet", Spaced: "spaced", Base64: "base64", Hex: "hex", Percent: "percent", Escape: "escape", Quoted: "quoted-printable",
	ROT13: "rot13", Reversed: "reversed", Limit: "decoding-limit",
}

func (k NoteKind) String() string {
	if k == 0 || int(k) >= len(noteNames) {
		return "unknown"
	}
	return noteNames[k]
}

// Note is something that a reader of the raw text does not see as it is. Start
// and End are byte offsets of the raw text, whichever view has the note.
// Decoded is text that an attacker may have written; it is cut at 1,024 bytes.
type Note struct {
	Kind       NoteKind
	Start, End int
	Decoded    string
}

const longestDecoded = 1024

// notebook takes down notes, most of a kind at the most: many harmless ones do
// not crowd out the others.
type notebook struct {
	notes []Note
	most  int
	count [Limit + 1]int32
}

func (n *notebook) add(kind NoteKind, start, end int, decoded string) {
	if int(n.count[kind]) >= n.most {
		return
	}
	n.count[kind]++
	if len(decoded) > longestDecoded {
		decoded = decoded[:runeStart(decoded, longestDecoded)]
	}
	n.notes = append(n.notes, Note{kind, start, end, decoded})
}

// runeStart is the last offset at or before i where a rune begins.
func runeStart(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	for k := 0; k < 3 && i > 0 && s[i]&0xc0 == 0x80; k++ {
		i--
	}
	return i
}
