package text

// Cache keeps the views of texts that several rules read. It is not safe for
// concurrent use.
type Cache struct{ texts map[string]cached }

type cached struct {
	views []View
	plain bool
}

type cacheKey struct{}

// CacheOf returns the cache of a run of rules; shared is its Pass.Shared.
func CacheOf(shared func(key any, compute func() any) any) *Cache {
	return shared(cacheKey{}, func() any { return &Cache{map[string]cached{}} }).(*Cache)
}

// Views is Views(raw, Limits{}), computed once.
func (c *Cache) Views(raw string) []View { return c.of(raw).views }

// Plain reports whether raw is printable ASCII on lines, with nothing in it
// that is disguised, encoded or Markdown: its views have no notes.
func (c *Cache) Plain(raw string) bool { return c.of(raw).plain }

func (c *Cache) of(raw string) cached {
	t, ok := c.texts[raw]
	if !ok {
		t.views, t.plain = layOut(raw, Limits{})
		c.texts[raw] = t
	}
	return t
}
