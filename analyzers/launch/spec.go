package launch

import (
	"net/url"
	"strings"

	"github.com/package-url/packageurl-go"
	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// maxSpec bounds the bytes of a package or image reference that is read.
const maxSpec = 2048

// ParseSpec reads one package spec the way the ecosystem's own tools do. The
// ecosystem is a purl type (npm, pypi, golang, nuget, cargo, maven, gem,
// composer), or "deno" for npm:, jsr: and bare npm specs. Where the name is
// missing or comes from a variable, Name and Source of the answer are empty.
func ParseSpec(ecosystem string, spec analyzers.Text) analyzers.PackageRef {
	var ref analyzers.PackageRef
	if s := strings.TrimSpace(spec.Raw()); s != "" && len(s) <= maxSpec {
		switch ecosystem {
		case "npm":
			ref = npmSpec(s)
		case "deno":
			ref = denoSpec(s)
		case "pypi":
			ref = pypiSpec(s)
		case "maven":
			ref = mavenSpec(s)
		default:
			ref = plainSpec(ecosystem, s)
		}
	}
	if ref.Name == "" && ref.Source == "" {
		ref = analyzers.PackageRef{Ecosystem: ecosystem, Pin: analyzers.PinNone}
	}
	ref.Spec = spec
	return ref
}

var (
	// A full semantic version, as npm's loose reading takes it.
	semver = pattern.New(`^[v=]*\s*\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)
	// One comparator of an npm range; a partial version is a range.
	comparator = pattern.New(`^(?:\^|~>?|[<>]=?|=)?v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)
	// A PEP 440 version, loosely, without a wildcard.
	pep440 = pattern.New(`^v?\d+(?:!\d+)?[0-9A-Za-z.+_-]*$`)
	// A PEP 508 requirement: name, extras, the rest.
	pep508 = pattern.New(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)$`)
	// A Go version that names one commit: semantic or pseudo-version.
	goVersion = pattern.New(`^v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+incompatible)?$`)
	goPrefix  = pattern.New(`^(?:[<>]=?)?v\d+(?:\.\d+){0,2}$`)
	// Versions of NuGet, Maven and RubyGems: any number of parts.
	dotted   = pattern.New(`^\d+(?:\.\d+)*(?:[.-][0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)
	version3 = pattern.New(`^=?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)
	rangeish = pattern.New(`[\^~<>=*,|\s\[\](]`)
	hash     = pattern.New(`^(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
	sha256   = pattern.New(`(?:^|&)sha256=[0-9a-fA-F]{64}(?:&|$)`)
	// A part of a name; what no registry has is not taken for one.
	nameLike = pattern.New(`^[@A-Za-z0-9_.~!'()*+-][A-Za-z0-9_.~!'()*/+-]*$`)
)

// placeholder finds what a client, a shell or a person fills in: ${V}, $V,
// $(V), %V%, {{V}}, {V}, <V>.
var placeholder = pattern.New(`\$[A-Za-z_{(]|%[A-Za-z_][A-Za-z0-9_]*%|\{[^{}]*\}|<[A-Za-z_][^<>=]*>`)

func variable(s string) bool {
	return len(s) <= maxSpec && placeholder.MatchString(s)
}

// build makes a reference into a registry from its parts and judges the
// version's pin.
func build(ecosystem, name, version string) analyzers.PackageRef {
	ref := analyzers.PackageRef{Ecosystem: ecosystem, Name: name, Version: version, Pin: pinOf(ecosystem, version)}
	if variable(name) || !nameLike.MatchString(strings.ReplaceAll(name, ":", "/")) || strings.HasSuffix(name, "/") {
		return analyzers.PackageRef{}
	}
	exact := ""
	if ref.Pin == analyzers.PinExact || ref.Pin == analyzers.PinCommit {
		exact = strings.TrimSpace(strings.TrimLeft(version, "= "))
		if ecosystem == "npm" {
			exact = strings.TrimPrefix(exact, "v")
		}
	}
	ref.Version = analyzers.Untrusted(version).String()
	separator := "/"
	if ecosystem == "maven" {
		separator = ":"
	}
	namespace, last, _ := cutLast(name, separator)
	ref.PURL = purl(ecosystem, namespace, last, exact, nil)
	return ref
}

func pinOf(ecosystem, version string) analyzers.Pin {
	switch {
	case version == "" || variable(version):
		return analyzers.PinNone
	case ecosystem == "npm":
		return npmPin(version)
	case ecosystem == "pypi":
		return pypiPin(version)
	case ecosystem == "golang":
		switch {
		case goVersion.MatchString(version):
			return analyzers.PinExact
		case goPrefix.MatchString(version):
			return analyzers.PinRange
		case len(version) == 40 && hash.MatchString(version):
			return analyzers.PinCommit
		}
		return analyzers.PinTag
	case ecosystem == "cargo" || ecosystem == "composer":
		if version3.MatchString(strings.TrimPrefix(version, "v")) {
			return analyzers.PinExact
		}
		if dotted.MatchString(version) {
			return analyzers.PinRange
		}
	case dotted.MatchString(version) && !strings.HasSuffix(version, "-SNAPSHOT"):
		return analyzers.PinExact
	}
	if rangeish.MatchString(version) || strings.HasSuffix(version, ".+") {
		return analyzers.PinRange
	}
	return analyzers.PinTag
}

func npmPin(version string) analyzers.Pin {
	if semver.MatchString(version) {
		return analyzers.PinExact
	}
	for _, alternative := range strings.Split(version, "||") {
		for _, part := range strings.Fields(alternative) {
			if part != "-" && !operatorOnly(part) && !comparator.MatchString(part) {
				return analyzers.PinTag
			}
		}
	}
	return analyzers.PinRange
}

func operatorOnly(s string) bool { return strings.Trim(s, "<>=~^") == "" }

// npmSpec reads what npm-package-arg reads.
func npmSpec(s string) analyzers.PackageRef {
	name, want := "", s
	// The separator is the first @ that does not open a scope; URLs and paths
	// have theirs elsewhere.
	scp := strings.HasPrefix(s, "git@") && strings.Contains(s, ":")
	if at := strings.IndexByte(s[1:], '@') + 1; at > 0 && !scp && !strings.Contains(s[:at], ":") && !localPath(s) {
		name, want = s[:at], s[at+1:]
		if slash := strings.IndexByte(name, '/'); slash >= 0 && !strings.HasPrefix(name, "@") {
			name, want = "", s
		}
	} else if !strings.ContainsAny(s, ":#") && !localPath(s) && !archive(s) && (strings.HasPrefix(s, "@") || !strings.Contains(s, "/")) {
		name, want = s, ""
	}
	if strings.HasPrefix(name, "@") && strings.Count(name, "/") != 1 {
		return analyzers.PackageRef{}
	}
	if real, ok := strings.CutPrefix(want, "npm:"); ok && real != "" {
		return npmSpec(real)
	}
	var from analyzers.PackageRef
	switch {
	case name != "" && (want == "" || !strings.ContainsAny(want, ":/#") || variable(want)):
		return build("npm", name, want)
	case localPath(want) || archive(want) && !strings.Contains(want, "://"):
		return pathRef("npm", name)
	default:
		from = remoteRef(want)
	}
	if name == "" || from.Source == "" {
		return from
	}
	return rename("npm", name, from)
}

// hosts are the services that npm knows by a short name.
var hosts = map[string]string{
	"github": "https://github.com/", "gitlab": "https://gitlab.com/",
	"bitbucket": "https://bitbucket.org/", "gist": "https://gist.github.com/",
}

// remoteRef reads a git or tarball spec of npm.
func remoteRef(s string) analyzers.PackageRef {
	s, ref, _ := strings.Cut(s, "#")
	if host, path, ok := strings.Cut(s, ":"); ok && hosts[host] != "" {
		return gitRef(hosts[host]+path, ref)
	}
	switch {
	case strings.HasPrefix(s, "git+"), strings.HasPrefix(s, "git:"), strings.HasPrefix(s, "git@"), strings.HasPrefix(s, "ssh:"),
		strings.HasSuffix(s, ".git"), strings.HasPrefix(s, "https://github.com/") && strings.Count(s, "/") == 4:
		return gitRef(s, ref)
	case isURL(s):
		return urlRef(s)
	case strings.Count(s, "/") == 1 && !strings.HasPrefix(s, "@") && !strings.Contains(s, ":"):
		return gitRef("https://github.com/"+s, ref)
	}
	return analyzers.PackageRef{}
}

// gitRef is a repository at a ref. Credentials of the URL are left out.
func gitRef(repository, ref string) analyzers.PackageRef {
	s := strings.TrimPrefix(repository, "git+")
	if host, path, ok := strings.Cut(s, ":"); ok && !strings.Contains(s, "://") && strings.Contains(host, "@") { // git@host:owner/name
		s = "ssh://" + host + "/" + path
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || variable(s) {
		return analyzers.PackageRef{}
	}
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	namespace, name, _ := cutLast(path, "/")
	if name == "" || !nameLike.MatchString(path) {
		return analyzers.PackageRef{}
	}
	out := analyzers.PackageRef{Name: path, Version: analyzers.Untrusted(ref).String(), Pin: analyzers.PinTag, Source: "git"}
	at := ref
	switch {
	case hash.MatchString(ref):
		out.Pin = analyzers.PinCommit
	case strings.HasPrefix(ref, "semver:"):
		out.Pin, at = analyzers.PinRange, ""
	case variable(ref):
		out.Pin, at = analyzers.PinNone, ""
	}
	if strings.EqualFold(u.Hostname(), "github.com") && namespace != "" && !strings.Contains(namespace, "/") {
		out.Ecosystem = "github"
		out.PURL = purl("github", namespace, name, at, nil)
		return out
	}
	out.Ecosystem, out.Name = "generic", name
	out.PURL = purl("generic", "", name, at, map[string]string{"vcs_url": vcs(u, at)})
	return out
}

func vcs(u *url.URL, ref string) string {
	s := "git+" + u.Scheme + "://" + u.Host + "/" + strings.Trim(u.Path, "/")
	if ref != "" {
		s += "@" + ref
	}
	return s
}

// rename gives a package from git or a URL the name that the spec claims.
func rename(ecosystem, name string, from analyzers.PackageRef) analyzers.PackageRef {
	named := build(ecosystem, name, "")
	if named.Name == "" {
		return analyzers.PackageRef{}
	}
	quals := map[string]string{}
	if p, err := packageurl.FromString(from.PURL); err == nil {
		quals = p.Qualifiers.Map()
		if from.Ecosystem == "github" {
			quals["vcs_url"] = "git+https://github.com/" + from.Name
			if p.Version != "" {
				quals["vcs_url"] += "@" + p.Version
			}
		}
	}
	namespace, last, _ := cutLast(name, "/")
	from.Ecosystem, from.Name = ecosystem, named.Name
	from.PURL = purl(ecosystem, namespace, last, "", quals)
	return from
}

// urlRef is an archive at a URL. Its fragment may pin it (pip, uv).
func urlRef(s string) analyzers.PackageRef {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || variable(s) {
		return analyzers.PackageRef{}
	}
	ref := analyzers.PackageRef{Ecosystem: "generic", Pin: analyzers.PinNone, Source: "url"}
	if sha256.MatchString(u.Fragment) {
		ref.Pin = analyzers.PinDigest
	}
	_, ref.Name, _ = cutLast(strings.Trim(u.Path, "/"), "/")
	if ref.Name == "" {
		ref.Name = u.Hostname()
	}
	ref.Name = analyzers.Untrusted(ref.Name).String()
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	ref.PURL = purl("generic", "", ref.Name, "", map[string]string{"download_url": u.String()})
	return ref
}

func pathRef(ecosystem, name string) analyzers.PackageRef {
	return analyzers.PackageRef{Ecosystem: ecosystem, Name: name, Pin: analyzers.PinNone, Source: "path"}
}

// denoSpec reads npm:name@v/sub, jsr:@scope/name@v/sub or a bare npm spec.
func denoSpec(s string) analyzers.PackageRef {
	rest, jsr := strings.CutPrefix(s, "jsr:")
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "npm:"), "/")
	if rest == "" {
		return analyzers.PackageRef{}
	}
	// A path inside the package follows the name and version.
	parts := strings.Split(rest, "/")
	n := 1
	if strings.HasPrefix(rest, "@") {
		n = 2
	}
	rest = strings.Join(parts[:min(n, len(parts))], "/")
	ref := npmSpec(rest)
	if !jsr || ref.Name == "" {
		return ref
	}
	exact := ""
	if ref.Pin == analyzers.PinExact {
		exact = ref.Version
	}
	// "jsr" is no registered purl type yet; a host name would say no more.
	namespace, name, _ := cutLast(ref.Name, "/")
	ref.Ecosystem = "jsr"
	ref.PURL = purl("jsr", namespace, name, exact, nil)
	return ref
}

// pypiSpec reads a PEP 508 requirement, a path, a URL, or uv's name@version.
func pypiSpec(s string) analyzers.PackageRef {
	s, _, _ = strings.Cut(s, ";") // markers
	s = strings.TrimSpace(s)
	if direct, ok := directRef(s); ok {
		return direct
	}
	if localPath(s) || archive(s) || strings.HasSuffix(s, ".whl") {
		return pathRef("pypi", "")
	}
	m := pep508.FindStringSubmatch(s)
	if m == nil {
		return analyzers.PackageRef{}
	}
	name, rest := normalise(m[1]), strings.Trim(m[2], "() ")
	if strings.HasPrefix(rest, "@") {
		target := strings.TrimSpace(rest[1:])
		if from, ok := directRef(target); ok {
			if from.Source == "" {
				return from
			}
			return rename("pypi", name, from)
		}
		return build("pypi", name, target)
	}
	if rest == "" {
		return build("pypi", name, "")
	}
	if !strings.ContainsAny(rest[:1], "=<>!~") {
		return analyzers.PackageRef{} // "name/…", "name${X}"
	}
	for clause := range strings.SplitSeq(rest, ",") {
		clause = strings.TrimSpace(clause)
		if v := strings.TrimSpace(strings.TrimLeft(clause, "=")); strings.HasPrefix(clause, "==") && pep440.MatchString(v) {
			return build("pypi", name, v)
		}
		if v := strings.TrimSpace(strings.TrimLeft(clause, "=")); strings.HasPrefix(clause, "==") && variable(v) {
			return build("pypi", name, v)
		}
	}
	return build("pypi", name, rest)
}

// directRef reads git+URL[@ref][#…] and archive URLs as pip does.
func directRef(s string) (analyzers.PackageRef, bool) {
	if !strings.HasPrefix(s, "git+") && !isURL(s) && !strings.HasPrefix(s, "file:") {
		return analyzers.PackageRef{}, false
	}
	if strings.HasPrefix(s, "file:") {
		return pathRef("pypi", ""), true
	}
	repository, fragment, _ := strings.Cut(s, "#")
	if !strings.HasPrefix(s, "git+") && !strings.HasSuffix(repository, ".git") {
		return urlRef(s), true
	}
	at := ""
	_, after, _ := strings.Cut(repository, "://")
	authority := len(repository) - len(after)
	if slash := strings.IndexByte(repository[authority:], '/'); slash >= 0 {
		path := repository[authority+slash:]
		if i := strings.LastIndexByte(path, '@'); i > 0 {
			repository, at = repository[:authority+slash+i], path[i+1:]
		}
	}
	ref := gitRef(repository, at)
	for field := range strings.SplitSeq(fragment, "&") {
		if egg, ok := strings.CutPrefix(field, "egg="); ok && ref.Source != "" {
			if m := pep508.FindStringSubmatch(egg); m != nil {
				return rename("pypi", normalise(m[1]), ref), true
			}
		}
	}
	return ref, true
}

func pypiPin(version string) analyzers.Pin {
	switch {
	case pep440.MatchString(version):
		return analyzers.PinExact
	case strings.ContainsAny(version, "=<>!~*"):
		return analyzers.PinRange
	}
	return analyzers.PinTag
}

// normalise writes a name as PEP 503 does.
func normalise(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; c {
		case '-', '_', '.':
			if b.Len() > 0 && i+1 < len(name) && !strings.ContainsRune("-_.", rune(name[i+1])) {
				b.WriteByte('-')
			}
		default:
			b.WriteByte(c)
		}
	}
	return strings.ToLower(b.String())
}

// listed splits uv's and jbang's comma lists; a comma inside one requirement
// is followed by an operator, not by a name.
func listed(ecosystem string, t analyzers.Text) []analyzers.Text {
	s := t.Raw()
	if ecosystem != "pypi" && ecosystem != "maven" || len(s) > maxSpec || !strings.Contains(s, ",") || strings.Contains(s, "[") {
		return []analyzers.Text{t}
	}
	var out []analyzers.Text
	from := 0
	for i := range len(s) {
		if s[i] == ',' && i+1 < len(s) && letter(s[i+1]) {
			out = append(out, t.Slice(from, i))
			from = i + 1
		}
	}
	return append(out, t.Slice(from, len(s)))
}

// mavenSpec reads group:artifact[:version[:classifier]][@type].
func mavenSpec(s string) analyzers.PackageRef {
	s, _, _ = strings.Cut(s, "@")
	parts := strings.Split(s, ":")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return analyzers.PackageRef{}
	}
	v := ""
	if len(parts) > 2 {
		v = parts[2]
	}
	return build("maven", parts[0]+":"+parts[1], v)
}

// plainSpec reads name, name@version, or name:version where the ecosystem
// writes a colon.
func plainSpec(ecosystem, s string) analyzers.PackageRef {
	if isURL(s) || strings.HasPrefix(s, "git+") {
		ref, _ := directRef("git+" + strings.TrimPrefix(s, "git+"))
		return ref
	}
	if localPath(s) {
		return pathRef(ecosystem, "")
	}
	separator := "@"
	if ecosystem == "gem" || ecosystem == "composer" {
		separator = ":"
	}
	name, v, _ := strings.Cut(s, separator)
	return build(ecosystem, name, v)
}

// purl renders a package URL; "" when it would not read back.
func purl(kind, namespace, name, version string, qualifiers map[string]string) string {
	if kind == "npm" && len(qualifiers) == 0 {
		if s := plainNPM(namespace, name, version); s != "" {
			return s
		}
	}
	p := packageurl.NewPackageURL(kind, namespace, name, version, packageurl.QualifiersFromMap(qualifiers), "")
	if p.Normalize() != nil {
		return ""
	}
	s := p.ToString()
	if _, err := packageurl.FromString(s); err != nil {
		return ""
	}
	return s
}

// plainNPM is the purl of a name in which nothing is encoded but the scope's @,
// which is most of all that is ever started; "" for others. The library takes
// twenty times as long; a test holds the two to each other.
func plainNPM(namespace, name, version string) string {
	scope, scoped := strings.CutPrefix(namespace, "@")
	if scoped != (namespace != "") || scoped && !unreserved(scope) || !unreserved(name) || version != "" && !unreserved(version) {
		return ""
	}
	s := "pkg:npm/"
	if scoped {
		s += "%40" + scope + "/"
	}
	if s += name; version != "" {
		s += "@" + version
	}
	return s
}

// unreserved reports whether a text begins with a letter or digit and has no
// character that a purl encodes.
func unreserved(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !alphanumeric && (i == 0 || c != '-' && c != '.' && c != '_' && c != '~') {
			return false
		}
	}
	return s != ""
}

// plausible reports whether a word may be a package spec rather than the value
// of an option.
func plausible(s string) bool {
	return s != "" && len(s) <= maxSpec && !digits(s) && s[0] != '-' && s[0] != '/' && !strings.ContainsAny(s, "= \t\n") && s != "true" && s != "false"
}

func localPath(s string) bool {
	return s == "." || s == ".." || s == "~" || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || strings.HasPrefix(s, "/") ||
		strings.HasPrefix(s, "~/") || strings.HasPrefix(s, "file:") || strings.HasPrefix(s, `.\`) || strings.HasPrefix(s, `..\`) ||
		len(s) > 2 && letter(s[0]) && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
}

func archive(s string) bool {
	return strings.HasSuffix(s, ".tgz") || strings.HasSuffix(s, ".tar.gz") || strings.HasSuffix(s, ".tar") || strings.HasSuffix(s, ".zip")
}

// fileLike reports whether an interpreter's operand looks like a file.
func fileLike(s string) bool { return strings.ContainsAny(s, `./\`) }

// scriptPath reports whether a command is a file of the project rather than a
// program of the system.
func scriptPath(s string) bool {
	if strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || strings.HasPrefix(s, "~/") || strings.HasPrefix(s, `.\`) || strings.HasPrefix(s, `..\`) {
		return true
	}
	for _, ext := range [...]string{".sh", ".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".ps1", ".bat"} {
		if strings.HasSuffix(s, ext) && len(s) > len(ext) {
			return true
		}
	}
	return false
}

func isURL(s string) bool {
	scheme, _, ok := strings.Cut(s, "://")
	if !ok || len(scheme) > 5 {
		return false
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss":
		return true
	}
	return false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// cutLast splits at the last separator; everything is after it when there is
// none.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return "", s, false
}
