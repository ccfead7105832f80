package trn

import (
	"slices"
	"strings"
	"testing"
)

func TestEndpoints(t *testing.T) {
	for _, test := range []struct{ text, scheme, host, path string }{
		{"https://a.dev/x", "https", "a.dev", "/x"},
		{"HTTP://A.dev:80?q", "http", "a.dev", "?q"},
		{"http://u:p@a.dev:1/", "http", "a.dev", "/"},
		{"http://[::1]:3000/mcp", "http", "::1", "/mcp"},
		{"http://[::1]", "http", "::1", ""},
		{"--url=ws://a.dev", "ws", "a.dev", ""},
		{`say "http://a.dev" twice`, "http", "a.dev", ""},
		{"http://a.dev@evil.dev/", "http", "evil.dev", "/"},
		{`http://a.dev\@evil.dev/`, "http", "a.dev", `\@evil.dev/`},
	} {
		got := endpoints(test.text)
		if len(got) != 1 || got[0].scheme != test.scheme || got[0].host != test.host || got[0].path != test.path {
			t.Errorf("%s: %+v", test.text, got)
			continue
		}
		if place := strings.Trim(strings.ToLower(test.text[got[0].start:got[0].end]), "[]"); place != test.host {
			t.Errorf("%s: the place holds %q", test.text, place)
		}
	}
	for _, text := range []string{"", "://", "http:///x", "a.dev/x", "http:/a.dev"} {
		if got := endpoints(text); len(got) != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestReach(t *testing.T) {
	for host, want := range map[string]reach{
		"localhost": loopback, "127.9.9.9": loopback, "::1": loopback, "0.0.0.0": loopback, "app.localhost": loopback, "2130706433": loopback, "0x7f.1": loopback,
		"::ffff:127.0.0.1": loopback, "host.docker.internal": loopback,
		"10.0.0.1": private, "172.20.1.1": private, "192.168.1.1": private, "fd12::1": private, "100.100.1.1": private, "toolbox": private, "nas.local": private, "169.254.1.1": private,
		"mcp.acme.dev": public, "8.8.8.8": public, "localhost.acme.dev": public, "127.0.0.1.acme.dev": public, "2600::1": public, "172.32.0.1": public,
		"${HOST}": unknown, "<host>": unknown, "{{host}}": unknown,
	} {
		if got := reachOf(host); got != want {
			t.Errorf("%s: got %d, want %d", host, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	for host, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", "2852039166": "169.254.169.254", "0xa9fea9fe": "169.254.169.254", "0251.0376.0251.0376": "169.254.169.254",
		"169.254.43518": "169.254.169.254", "0xA9.254.0xa9fe": "169.254.169.254", "1.": "0.0.0.1",
	} {
		if addr, _, ok := address(host); !ok || addr.String() != want {
			t.Errorf("%s: got %v %v", host, addr, ok)
		}
	}
	for _, host := range []string{"", "a", "1.2.3.4.5", "256.1.1.1", "4294967296", "1.2.3.256", "0b11", "0o17", "1_0", "08", "1..2", "-1", "dead.beef"} {
		if addr, _, ok := address(host); ok {
			t.Errorf("%s: got %v", host, addr)
		}
	}
}

func TestHosts(t *testing.T) {
	var got []string
	text := "see a.b, c and (d.e.f):1"
	for start, end := range hosts(text) {
		got = append(got, text[start:end])
	}
	if !slices.Equal(got, []string{"a.b", "d.e.f"}) {
		t.Error(got)
	}
}

func FuzzEndpoints(f *testing.F) {
	for _, seed := range []string{"https://u@a.dev:1/x", "://", "http://[::1]:1", "a://b://c", "http://0x7f.1", "http://xn--cme-5cd.dev"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, e := range endpoints(text) {
			if e.start < last || e.end <= e.start || e.end > len(text) {
				t.Fatalf("%q: %+v behind %d", text, e, last)
			}
			last = e.end
			reachOf(e.host)
			disguise(e.host)
			collectorOf(e.host, e.path)
		}
	})
}
