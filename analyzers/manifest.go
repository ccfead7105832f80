package analyzers

import (
	"path"
	"strings"
)

// Manifest is a file that says what a server's surface was when somebody
// approved it (package manifest reads what it says). Analyzers find it; whoever
// can verify signatures sets Status and Signer before rules see it.
type Manifest struct {
	Server    Text    // the server's name, as the manifest says it
	Source    *Source // the file
	Statement *Source // the in-toto statement: the file itself, or what its bundle holds
	Bundle    bool    // a Sigstore bundle
	Status    ManifestStatus
	Signer    string // who signed it: a key's fingerprint, or identity and issuer; "" when not verified
	Reason    string // of a status that is bad: one clause without a full stop
	Named     bool   // named by the user, and not just found
	Exposure  Exposure
	PURLs     []string // the packages and images of which it speaks
	// Shipped says that it came with the server, in its package or image: how
	// the server is started elsewhere is then the business of whoever starts it.
	Shipped bool
	// Entry is the entry of the registry that approves what it says; "" for none.
	Entry string
	// For is whose manifest it is, whatever name it says: set by whoever named
	// it, or found it in the server's package or image.
	For *Server
}

// ManifestStatus is what is known of a manifest's signature.
type ManifestStatus string

// The statuses. The zero value is not known.
const (
	ManifestUnsigned   ManifestStatus = "unsigned"   // a bare statement
	ManifestUnverified ManifestStatus = "unverified" // signed; nobody asked whom to believe
	ManifestVerified   ManifestStatus = "verified"
	ManifestExpired    ManifestStatus = "expired"  // signed well, and no longer valid
	ManifestReplayed   ManifestStatus = "replayed" // its serial is older than one that was accepted
	ManifestInvalid    ManifestStatus = "invalid"  // the signature, or what is signed, is not right
)

// ManifestOf is the manifest that speaks for a server, nil without one: one
// that the user named; else the one that the registry approves; else one that
// has the server's name, or its package or image, and stands in the server's
// folder or nearest above it, else anywhere in the targets. Of two in one place
// a bundle wins over a bare statement, then the first by path.
func (c *Catalog) ManifestOf(s *Server) *Manifest {
	var best *Manifest
	rank := -1
	for _, m := range c.Manifests {
		if r := m.rank(s); r > rank || r == rank && r >= 0 && m.Source.Path < best.Source.Path {
			best, rank = m, r
		}
	}
	return best
}

// rank is how well a manifest fits a server, -1 when it is another's.
func (m *Manifest) rank(s *Server) int {
	const named, approved, bundle = 1 << 30, 1 << 29, 1
	rank := 0
	switch {
	case m.For != nil && m.For != s, m.For == nil && (m.Shipped && !m.Named || m.Server.Value == "" || m.Server.Value != s.Name.Value):
		return -1
	case m.Named && m.Entry != "":
		return named + approved
	case m.Named:
		return named
	case m.Entry != "":
		return approved
	}
	dir := path.Dir(m.Source.Path)
	if dir == "." {
		rank = 2
	} else if strings.HasPrefix(s.Span.Path(), dir+"/") {
		rank = 2 * (len(dir) + 2)
	}
	if m.Bundle {
		rank += bundle
	}
	return rank
}
