package text

// Cache keeps the views of texts that several rules read. It is not safe for
// concurrent use.
type Cache struct {
	n     int
	first [4]cached          // a message has one or two
	more  map[string]*cached // and the definitions of a server have many
}

type cached struct {
	raw   string
	views []View
	plain bool
}

type cacheKey struct{}

// CacheOf returns the cache of a run of rules; shared is its Pass.Shared.
func CacheOf(shared func(key any, compute func() any) any) *Cache {
	return shared(cacheKey{}, func() any { return &Cache{} }).(*Cache)
}

// Views is Views(raw, Limits{}), computed once.
func (c *Cache) Views(raw string) []View { return c.of(raw).views }

// Plain reports whether raw is printable ASCII on lines, with nothing in it
// that is disguised, encoded or Markdown: its views have no notes.
func (c *Cache) Plain(raw string) bool { return c.of(raw).plain }

func (c *Cache) of(raw string) *cached {
	for i := range c.first[:c.n] {
		if c.first[i].raw == raw {
			return &c.first[i]
		}
	}
	t := c.more[raw]
	switch {
	case t != nil:
		return t
	case c.n < len(c.first):
		t = &c.first[c.n]
		c.n++
	default:
		if c.more == nil {
			c.more = map[string]*cached{}
		}
		t = &cached{}
		c.more[raw] = t
	}
	t.raw = raw
	t.views, t.plain = layOut(raw, Limits{})
	return t
}
