package seal

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// maxSubjects bounds the subjects of a statement.
const maxSubjects = 1024

// maxSerial is the largest number that every JSON reader reads alike.
const maxSerial = 1<<53 - 1

// Statement is what has to be read of a manifest in order to accept it: the
// rest of the predicate is the manifest package's.
type Statement struct {
	Bytes         []byte // as they were signed
	PredicateType string
	Subjects      []Resource
	Serial        uint64 // 0: the predicate has none
	Issued        time.Time
	Expires       time.Time // zero: never
}

// Resource is a subject (in-toto Statement v1, ResourceDescriptor): a purl or
// another name, and digests in lower-case hex by algorithm.
type Resource struct {
	Name   string
	Digest map[string]string
}

// ReadStatement reads an in-toto Statement v1 of the given predicate type. It
// refuses what two readers could read in two ways: duplicate members, and
// members that differ from a known one only in case. The error is a *Refusal.
func ReadStatement(b []byte, predicateType string) (*Statement, error) {
	if len(b) > MaxBundle/4*3 {
		return nil, refuse(TooLarge, "", "the statement has %d bytes, more than %d", len(b), MaxBundle/4*3)
	}
	root, err := tree.Parse(&analyzers.Source{Bytes: b}, tree.JSON)
	if err != nil {
		return nil, refuse(Malformed, "", "the statement is no JSON: %v", err).because(err)
	}
	if !root.IsObject() {
		return nil, refuse(Malformed, "", "the statement is no JSON object")
	}
	if err := unambiguous(root); err != nil {
		return nil, err
	}
	if t := root.Get("_type").Str(); t != StatementType {
		return nil, refuse(Malformed, "sallyport manifest generate writes one", "not an in-toto statement: _type is %q, not %q", shown(t), StatementType)
	}
	s := &Statement{Bytes: b, PredicateType: root.Get("predicateType").Str()}
	if s.PredicateType != predicateType {
		return nil, refuse(Predicate, "", "the statement is a %q, not a %q", shown(s.PredicateType), predicateType)
	}
	if s.Subjects, err = subjects(root.Get("subject")); err != nil {
		return nil, err
	}
	return s, s.readPredicate(root.Get("predicate"))
}

// readPredicate reads serial, issued and expires.
func (s *Statement) readPredicate(p *tree.Node) error {
	if !p.IsObject() {
		return refuse(Malformed, "", "the statement has no predicate")
	}
	serial := p.Get("serial")
	if serial == nil || serial.Kind != tree.Number {
		return refuse(Malformed, "", "the predicate has no serial number")
	}
	n, err := strconv.ParseUint(serial.Text.Raw(), 10, 64)
	if err != nil || n == 0 || n > maxSerial {
		return refuse(Malformed, "", "the serial number %q is no whole number from 1 to 2^53-1", shown(serial.Text.Raw()))
	}
	s.Serial = n
	if s.Issued, err = moment(p, "issued"); err != nil {
		return err
	}
	if s.Issued.IsZero() {
		return refuse(Malformed, "", "the predicate does not say when it was issued")
	}
	s.Expires, err = moment(p, "expires")
	return err
}

// unambiguous refuses duplicate members anywhere, and look-alikes of the
// statement's own.
func unambiguous(root *tree.Node) error {
	if root.Repeats() {
		var bad error
		root.Walk(func(path string, n *tree.Node) bool {
			if n.Dup && bad == nil {
				bad = refuse(Malformed, "", "the member %q is there twice", shown(path))
			}
			return bad == nil
		})
		return bad
	}
	for _, member := range root.Children {
		for _, known := range []string{"_type", "subject", "predicateType", "predicate"} {
			if key := member.Key.Raw(); key != known && strings.EqualFold(key, known) {
				return refuse(Malformed, "", "the member %q could be read as %q", shown(key), known)
			}
		}
	}
	return nil
}

func subjects(list *tree.Node) ([]Resource, error) {
	if !list.IsArray() || len(list.Children) == 0 {
		return nil, refuse(Malformed, "", "the statement has no subject")
	}
	if len(list.Children) > maxSubjects {
		return nil, refuse(TooLarge, "", "the statement has %d subjects, more than %d", len(list.Children), maxSubjects)
	}
	var out []Resource
	for i, n := range list.Children {
		r := Resource{Name: n.Get("name").Str(), Digest: map[string]string{}}
		digests := n.Get("digest")
		if !digests.IsObject() || len(digests.Children) == 0 {
			return nil, refuse(Malformed, "", "subject %d (%q) has no digest", i, shown(r.Name))
		}
		for _, d := range digests.Children {
			algorithm, value := d.Key.Raw(), d.Str()
			if raw, err := hex.DecodeString(value); err != nil || value != strings.ToLower(value) || len(raw) < 16 {
				return nil, refuse(Malformed, "", "subject %d (%q): the %s digest is no lower-case hex of 16 bytes or more", i, shown(r.Name), shown(algorithm))
			}
			r.Digest[algorithm] = value
		}
		out = append(out, r)
	}
	return out, nil
}

// moment reads a time of RFC 3339; a missing one is zero.
func moment(p *tree.Node, member string) (time.Time, error) {
	n := p.Get(member)
	if n == nil || n.Kind == tree.Null {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, n.Str())
	if err != nil || t.IsZero() {
		return time.Time{}, refuse(Malformed, "", "%s is no time of RFC 3339: %q", member, shown(n.Text.Raw()))
	}
	return t.UTC(), nil
}

// About reports whether a subject has the digest ("sha256:" and hex) or the
// name.
func (s *Statement) About(subject string) bool {
	algorithm, value, isDigest := strings.Cut(subject, ":")
	for _, r := range s.Subjects {
		if r.Name == subject || isDigest && value != "" && r.Digest[algorithm] == value {
			return true
		}
	}
	return false
}

// shown is foreign text as an error may quote it: escaped and short.
func shown(s string) string {
	const enough = 200
	if len(s) > enough {
		s = strings.ToValidUTF8(s[:enough], "") + "…"
	}
	return analyzers.Untrusted(s).String()
}
