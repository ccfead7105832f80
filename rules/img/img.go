// Package img holds the rules on containers: what a server's image is, and
// how much of the host its container is given.
package img

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

// flags calls visit with every option of a container's launch. Names are
// spelt out: --volume, never -v.
func flags(pass *rules.Pass, visit func(*analyzers.Server, analyzers.Flag)) {
	for _, s := range pass.Catalog.Servers {
		if s.Launch == nil || len(s.Images) == 0 && !engines[s.Launch.Program] {
			continue
		}
		for _, f := range s.Launch.Flags {
			visit(s, f)
		}
	}
}

var engines = map[string]bool{"docker": true, "podman": true, "nerdctl": true, "thv": true}

// mount is a part of the host inside a container.
type mount struct {
	source   analyzers.Text
	readOnly bool
}

// mountOf reads --volume SOURCE:TARGET[:OPTIONS] and --mount KEY=VALUE,...;
// ok is false for a named volume or another option.
func mountOf(f analyzers.Flag) (m mount, ok bool) {
	value := f.Value.Raw()
	if len(value) > 8192 {
		return m, false
	}
	switch f.Name {
	case "--volume":
		end := sourceEnd(value)
		if end <= 0 {
			return m, false
		}
		m.source = f.Value.Slice(0, end)
		rest := value[end+1:]
		if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			for option := range strings.SplitSeq(rest[i+1:], ",") {
				m.readOnly = m.readOnly || option == "ro" || option == "readonly"
			}
		}
	case "--mount":
		at, bind := 0, true
		for field := range strings.SplitSeq(value, ",") {
			key, v, _ := strings.Cut(field, "=")
			switch strings.ToLower(strings.TrimSpace(key)) {
			case "source", "src":
				m.source = f.Value.Slice(at+len(field)-len(v), at+len(field))
			case "readonly", "ro":
				m.readOnly = v == "" || v == "true" || v == "1"
			case "type":
				bind = v == "bind" || v == "npipe"
			}
			at += len(field) + 1
		}
		if !bind {
			return m, false
		}
	default:
		return m, false
	}
	return m, strings.ContainsAny(m.source.Raw(), `/\~$%.{`)
}

// sourceEnd is where the colon behind a volume's source is: not the one of a
// Windows drive, nor one inside ${...}.
func sourceEnd(value string) int {
	depth := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '{':
			depth++
		case '}':
			depth--
		case ':':
			drive := i == 1 && letter(value[0]) && i+1 < len(value) && (value[2] == '\\' || value[2] == '/' && strings.Contains(value[3:], ":"))
			named := i > 0 && strings.EqualFold(value[:i], "$env") // PowerShell's $env:HOME
			if depth <= 0 && !drive && !named {
				return i
			}
		}
	}
	return -1
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// part is a part of the host that is worth more than a project's folder.
type part int

const (
	ordinary part = iota
	wholeSystem
	systemFolder
	home
	credentials
	engineSocket
)

func (p part) String() string {
	return [...]string{"a folder", "the whole file system", "a folder of the system", "the home directory", "a store of credentials", "the container engine's socket"}[p]
}

// partOf says what a path of the host is, in the spellings of Linux, macOS and
// Windows, and with the variables that stand for the home directory.
func partOf(path string) part {
	p := strings.ReplaceAll(strings.TrimSpace(path), `\`, "/")
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	lower := strings.ToLower(p)
	for _, tail := range []string{"/docker.sock", "/podman.sock", "/containerd.sock", "/crio.sock", "/docker_engine", "/buildkitd.sock"} {
		if strings.HasSuffix(lower, tail) {
			return engineSocket
		}
	}
	rest := lower
	atHome := false
	for _, variable := range homes {
		if after, ok := strings.CutPrefix(rest, variable); ok && (after == "" || after[0] == '/') {
			rest, atHome = after, true
			break
		}
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if stores.Has(segment) {
			return credentials
		}
	}
	if strings.HasSuffix(rest, ".config/gcloud") || strings.Contains(rest, ".config/gcloud/") || strings.HasSuffix(rest, ".config/gh") {
		return credentials
	}
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, "/."), "/")
	if atHome {
		if rest == "" {
			return home
		}
		return ordinary
	}
	for _, drive := range []string{"/mnt/c", "/host_mnt", "/run/desktop/mnt/host/c", "/c", "c:", "d:"} {
		if after, ok := strings.CutPrefix(rest, drive); ok && (after == "" || after[0] == '/') {
			rest = after
			break
		}
	}
	if rest == "" {
		return wholeSystem
	}
	if systemFolders.Has(rest) {
		return systemFolder
	}
	parts := strings.Split(rest, "/")
	if len(parts) <= 3 && len(parts) > 1 && (parts[1] == "home" || parts[1] == "users") || rest == "/root" {
		return home
	}
	return ordinary
}

var homes = []string{"~", "$home", "${home}", "${userhome}", "${env:home}", "${env:userprofile}", "$env:userprofile", "$env:home", "%userprofile%", "%homepath%", "{env:home}"}

var (
	stores = pattern.Words(".ssh .aws .kube .gnupg .azure .docker .netrc .npmrc .pypirc .git-credentials .password-store .vault-token keychains .terraform.d .mozilla")

	systemFolders = pattern.Words("/etc /boot /proc /sys /dev /usr /bin /sbin /lib /lib64 /var /var/run /run /var/lib /var/lib/docker /var/log /etc/passwd /etc/shadow /etc/sudoers " +
		"/etc/cron.d /etc/ssh /library /system /private /private/etc /windows /windows/system32 /programdata")
)
