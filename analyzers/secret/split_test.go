package secret

import "testing"

func TestSplit(t *testing.T) {
	const body = "Zq8vT2mN4xRk7LwBsHd5JmC1yPf6GaE0QpXz"
	token := "ghp" + "_" + body
	for _, c := range []struct {
		name  string
		parts []string
		from  int
	}{
		{"two halves", []string{token[:20], token[20:]}, 0},
		{"the other half first", []string{token[20:], token[:20]}, 0},
		{"across messages", []string{token[:20], "Berlin-2", token[20:]}, 2},
		{"across messages, the end first", []string{token[20:], "Berlin-2", token[:20]}, 2},
		{"inside the prefix", []string{token[:2], token[2:]}, 0},
		{"four parts", []string{token[:10], token[10:20], token[20:30], token[30:]}, 3},
		{"AWS", []string{"AKIA" + "Q7", "ZT5XW3LMK9PD2R"}, 1},
	} {
		if _, ok := Split(c.parts, c.from); !ok {
			t.Error(c.name)
		}
	}
	for _, c := range []struct {
		name  string
		parts []string
		from  int
	}{
		{"a locale and a user", []string{"sk-SK", "user12345678901234567890"}, 0},
		{"ids", []string{"BSA-2024", "report-final-2024-v2", "PROJ-17"}, 0},
		{"a search and a commit", []string{"ghp" + "_", "da39a3ee5e6b4b0d3255bfef95601890afd80709"}, 1},
		{"nothing new", []string{token[:20], token[20:], "x1"}, 2},
		{"one part", []string{token}, 0},
		{"too short", []string{token[:10], "abc1"}, 0},
	} {
		if kind, ok := Split(c.parts, c.from); ok {
			t.Errorf("%s: %s", c.name, kind)
		}
	}
	for text, want := range map[string]bool{"ghp" + "_Zq8": true, "9f2": true, "gh": true, "berlin": false, "/srv/a": false, "two words": false, "A": false, "": false, "Straße1": false} {
		if Fragment(text) != want {
			t.Errorf("Fragment(%q)", text)
		}
	}
}

func BenchmarkSplit(b *testing.B) {
	parts := []string{"PROJ-17", "2026-11-22", "v1.2.3", "user_42", "Berlin-2", "open_page", "a1b2c3d4", "0f3e5d"}
	for b.Loop() {
		Split(parts, 6)
	}
}
