package img

import (
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func TestPartOf(t *testing.T) {
	for path, want := range map[string]part{
		"/": wholeSystem, "//": wholeSystem, `C:\`: wholeSystem, "c:/": wholeSystem, "/mnt/c": wholeSystem, "/mnt/c/Users/a": home,
		"/etc": systemFolder, "/etc/": systemFolder, "/var/run": systemFolder, `C:\Windows`: systemFolder,
		"~": home, "~/": home, "$HOME": home, "${userHome}": home, "%USERPROFILE%": home, "/home": home, "/home/a": home, "/Users/a/": home, `C:\Users\a`: home, "/root": home,
		"~/.ssh": credentials, "/home/a/.aws/credentials": credentials, `%USERPROFILE%\.kube`: credentials, "$HOME/.config/gcloud": credentials,
		"/var/run/docker.sock": engineSocket, `\\.\pipe\docker_engine`: engineSocket,
		".": ordinary, "./data": ordinary, "~/notes": ordinary, "/home/a/src": ordinary, "/opt/x": ordinary, "/tmp": ordinary, "$HOMEWORK": ordinary, "${PWD}": ordinary, "": wholeSystem,
	} {
		if got := partOf(path); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestMountOf(t *testing.T) {
	for _, test := range []struct {
		name, value, source string
		readOnly, ok        bool
	}{
		{"--volume", "/a:/b", "/a", false, true},
		{"--volume", "/a:/b:ro,z", "/a", true, true},
		{"--volume", "/:/host:ro", "/", true, true},
		{"--volume", `C:\a:/b`, `C:\a`, false, true},
		{"--volume", "c:/a:/b", "c:/a", false, true},
		{"--volume", "${env:HOME}:/b", "${env:HOME}", false, true},
		{"--volume", "$env:HOME:/b", "$env:HOME", false, true},
		{"--volume", "name:/b", "name", false, false},
		{"--volume", "/only", "", false, false},
		{"--volume", "", "", false, false},
		{"--mount", "type=bind,source=/a,target=/b,readonly", "/a", true, true},
		{"--mount", "src=/a,dst=/b,readonly=false", "/a", false, true},
		{"--mount", "type=volume,source=/a,target=/b", "/a", false, false},
		{"--env", "/a:/b", "", false, false},
	} {
		m, ok := mountOf(analyzers.Flag{Name: test.name, Value: analyzers.Text{Value: analyzers.Untrusted(test.value)}})
		if ok != test.ok || ok && (m.source.Raw() != test.source || m.readOnly != test.readOnly) {
			t.Errorf("%s %s: got %q %v %v", test.name, test.value, m.source, m.readOnly, ok)
		}
	}
}

func FuzzMount(f *testing.F) {
	for _, seed := range []string{"/a:/b:ro", "c:", "${", "type=bind,src=", ",,=", "a:b:c:d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"--volume", "--mount"} {
			if m, ok := mountOf(analyzers.Flag{Name: name, Value: analyzers.Text{Value: analyzers.Untrusted(value)}}); ok {
				_ = partOf(m.source.Raw()).String()
			}
		}
	})
}
