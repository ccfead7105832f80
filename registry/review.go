package registry

// Difference is one entry of which two versions of a document say different
// things; Before is nil for a new one, After for one that is gone.
type Difference struct{ Before, After *Entry }

// Differences compares two versions of a document, in the order of the newer
// one, and then what is gone. A nil before has no entries.
func Differences(before, after *Document) []Difference {
	var out []Difference
	old := map[string]*Entry{}
	if before != nil {
		for _, e := range before.Servers {
			old[e.ID] = e
		}
	}
	for _, e := range after.Servers {
		if was := old[e.ID]; was == nil || was.text() != e.text() {
			out = append(out, Difference{was, e})
		}
		delete(old, e.ID)
	}
	if before != nil {
		for _, e := range before.Servers {
			if old[e.ID] != nil {
				out = append(out, Difference{e, nil})
			}
		}
	}
	return out
}

// SameHead reports whether two documents say the same apart from their
// servers: names, approvers, units, projects and other declarations.
func (d *Document) SameHead(o *Document) bool {
	return d.head() == o.head()
}

// Deciders are those who may decide on an entry; nil: anybody. It need not be
// one of the document's.
func (d *Document) Deciders(e *Entry) []string { return d.mayDecide(e) }
