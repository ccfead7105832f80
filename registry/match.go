package registry

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/package-url/packageurl-go"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// Identity is what a server is, as far as its declaration says: what is
// started, where it is reached and, when it is known, what it shows. A name is
// no part of it; Name only finds the entry that a changed server may once
// have been.
type Identity struct {
	Name     string
	Client   string   // the client whose configuration declares it
	Argv     []string // the whole command line; nil without one
	URL      string   // the declared URL
	Remotes  []string // URLs that the command connects to
	Packages []string // purls; with a version where it is exact
	Images   []string // REPOSITORY@DIGEST, or REPOSITORY:TAG
	Env      []string // variables that change what is started
	Script   string   // the local file that is run
	// Unclear is why packages and images alone do not say what is started: a
	// shell, a wrapper, an option that loads more. "" when they do.
	Unclear string
	Surface string // "sha256:HEX"; "" when not known

	// Of the file that is executed and of Script, as match spells them; "" when
	// not known, as for every declaration, and Missing when there is none to be
	// read, which no entry that pins one approves.
	FileSHA256, ScriptSHA256 string
}

// Identify reads the identity of a declared server; Surface is left to the
// caller.
func Identify(s *analyzers.Server) Identity {
	id := Identity{Name: s.Name.Raw(), URL: s.URL.Raw()}
	if s.Client != nil {
		id.Client = s.Client.Name
	}
	for _, p := range s.Packages {
		id.Packages = append(id.Packages, packageOf(p))
	}
	for _, image := range s.Images {
		id.Images = append(id.Images, imageOf(image))
	}
	for _, v := range s.Env {
		if name := v.Name.Raw(); steers(name) && !slices.Contains(id.Env, name) {
			id.Env = append(id.Env, name)
		}
	}
	slices.Sort(id.Env)
	if l := s.Launch; l != nil {
		for _, word := range l.Argv {
			id.Argv = append(id.Argv, word.Raw())
		}
		for _, u := range l.Remotes {
			id.Remotes = append(id.Remotes, u.Raw())
		}
		id.Script, id.Unclear = l.Script.Raw(), unclear(l)
	}
	return id
}

// Missing stands for the digest of a file that is not there or not readable.
const Missing = "missing"

// IsZero reports whether nothing but a name is known of the server.
func (id *Identity) IsZero() bool {
	return len(id.Argv) == 0 && id.URL == "" && len(id.Packages) == 0 && len(id.Images) == 0
}

// Command is the identity of a command line.
func Command(argv []string) Identity {
	texts := make([]analyzers.Text, len(argv))
	for i, word := range argv {
		texts[i].Value = analyzers.Untrusted(word)
	}
	s := &analyzers.Server{Launch: launch.Resolve(texts)}
	if s.Launch != nil {
		s.Packages, s.Images = s.Launch.Packages, s.Launch.Images
	}
	return Identify(s)
}

// packageOf is the purl of a package, or its spelling where it comes from
// somewhere else than its ecosystem's registry.
func packageOf(p analyzers.PackageRef) string {
	if p.PURL == "" || p.Source != "" {
		return "source:" + p.Source + ":" + p.Spec.Raw()
	}
	return p.PURL
}

func imageOf(i analyzers.ImageRef) string {
	if i.Digest != "" {
		return i.Repository + "@" + i.Digest
	}
	return i.Repository + ":" + i.Tag
}

// harmless are the options of launchers that do not change what is started.
var harmless = map[string]bool{"--yes": true, "--quiet": true, "--rm": true, "--interactive": true, "--init": true, "--tty": true, "--env": true, "--package": true, "--bun": true}

func unclear(l *analyzers.Launch) string {
	switch {
	case l.Ambiguous != "":
		return l.Ambiguous
	case len(l.Wrappers) > 0:
		return "started through " + l.Wrappers[0]
	case l.Shell:
		return "started through a shell"
	case !l.Inline.IsZero():
		return "code on the command line"
	case !l.Script.IsZero():
		return "runs a local file"
	case len(l.Argv) > 0 && strings.ContainsAny(l.Argv[0].Raw(), `/\`):
		return "the launcher is named by its path"
	}
	for _, f := range l.Flags {
		if !harmless[f.Name] || f.Name == "--env" && strings.Contains(f.Value.Raw(), "=") && steers(f.Value.Raw()[:strings.Index(f.Value.Raw(), "=")]) {
			return "option " + analyzers.Untrusted(f.Name).String()
		}
	}
	return ""
}

// steering are variables that change what a command line starts: true for those
// that bring code in, false for those that say where something comes from.
var steering = map[string]bool{
	"LD_PRELOAD": true, "LD_AUDIT": true, "LD_LIBRARY_PATH": true, "BASH_ENV": true, "ENV": true, "SHELLOPTS": true,
	"NODE_OPTIONS": true, "NODE_PATH": true, "BUN_OPTIONS": true,
	"PYTHONPATH": true, "PYTHONHOME": true, "PYTHONSTARTUP": true, "PYTHONBREAKPOINT": true,
	"PERL5OPT": true, "PERL5LIB": true, "RUBYOPT": true, "RUBYLIB": true, "CLASSPATH": true, "JAVA_TOOL_OPTIONS": true, "_JAVA_OPTIONS": true,
	"DOTNET_STARTUP_HOOKS": true, "GIT_SSH_COMMAND": true, "GIT_PROXY_COMMAND": true,
	"PATH": false, "DENO_DIR": false, "GOFLAGS": false, "GOPROXY": false, "GONOSUMDB": false, "GOSUMDB": false,
}

// Injects reports whether a variable of that name brings code into whatever is
// started.
func Injects(name string) bool {
	upper := strings.ToUpper(name)
	return steering[upper] || strings.HasPrefix(upper, "DYLD_")
}

var steeringPrefixes = []string{"DYLD_", "NPM_CONFIG_", "UV_", "PIP_", "BUN_CONFIG_", "DOCKER_", "YARN_", "PNPM_"}

func steers(name string) bool {
	upper := strings.ToUpper(name)
	if _, ok := steering[upper]; ok {
		return true
	}
	for _, p := range steeringPrefixes {
		if strings.HasPrefix(upper, p) {
			return true
		}
	}
	return false
}

// pkg is a purl taken apart: key holds type, namespace and name.
type pkg struct{ key, version string }

var pypiRuns = pattern.New(`[-_.]+`)

func parsePURL(s string) (pkg, error) {
	if strings.HasPrefix(s, "source:") {
		return pkg{key: s}, nil
	}
	if p, ok := plainNPM(s); ok {
		return p, nil
	}
	p, err := packageurl.FromString(s)
	switch {
	case err != nil:
		return pkg{}, errors.New("purl does not follow pkg:TYPE/NAME@VERSION")
	case p.Type == "oci" || p.Type == "docker":
		return pkg{}, errors.New("name an image by image: REPOSITORY@sha256:HEX, not by a purl")
	case len(p.Qualifiers) > 0 || p.Subpath != "":
		return pkg{}, errors.New("qualifiers and subpaths of purls are not compared; leave them out")
	}
	name := p.Name
	if p.Type == "pypi" {
		name = strings.ToLower(pypiRuns.ReplaceAllString(name, "-"))
	}
	return pkg{p.Type + "/" + p.Namespace + "/" + name, p.Version}, nil
}

// plainNPM is parsePURL for a purl in which nothing is encoded but the scope's
// @: most of a registry. A test holds the two to each other.
func plainNPM(s string) (p pkg, ok bool) {
	name, ok := strings.CutPrefix(s, "pkg:npm/")
	if !ok {
		return p, false
	}
	name, version, versioned := strings.Cut(name, "@")
	namespace := ""
	if scope, scoped := strings.CutPrefix(name, "%40"); scoped {
		if scope, name, ok = strings.Cut(scope, "/"); !ok || !unreserved(scope) {
			return p, false
		}
		namespace = "@" + scope
	}
	if !unreserved(name) || versioned && !unreserved(version) {
		return p, false
	}
	return pkg{"npm/" + namespace + "/" + name, version}, true
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

// image is a reference taken apart.
type image struct{ repository, digest string }

func parseImage(s string) (image, error) {
	repository, digest, pinned := strings.Cut(s, "@")
	if pinned && !isDigest(digest) {
		return image{}, errors.New("an image's digest is sha256: and 64 lower-case hexadecimal digits")
	}
	// A colon behind the last slash begins a tag, one before it a port.
	if i := strings.LastIndexByte(repository, ':'); i > strings.LastIndexByte(repository, '/') {
		repository = repository[:i]
	}
	if repository == "" || strings.ContainsAny(repository, " \t\n") {
		return image{}, errors.New("an image is written REPOSITORY@sha256:HEX")
	}
	return image{normalRepository(repository), digest}, nil
}

// normalRepository spells a repository with its host, as container engines
// read it.
func normalRepository(s string) string {
	host, rest, ok := strings.Cut(s, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, rest = "docker.io", s
	}
	host = strings.ToLower(host)
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return host + "/" + rest
}

// check says what is wrong with a match by itself.
func (m *Match) check(status Status) error {
	if len(m.Argv) == 0 && m.PURL == "" && m.URL == "" && m.Image == "" {
		return errors.New("a match needs argv, purl, url or image: a name alone pins nothing")
	}
	if m.Argv != nil && (len(m.Argv) == 0 || m.Argv[0] == "") {
		return errors.New("argv begins with the command")
	}
	if m.PURL != "" {
		p, err := parsePURL(m.PURL)
		if err != nil {
			return err
		}
		if status == Approved && p.version == "" {
			return errors.New("an approval names the package's exact version: pkg:TYPE/NAME@VERSION")
		}
		if status == Approved && !p.exact() {
			return fmt.Errorf("%q is a range or a tag; an approval names one version", analyzers.Untrusted(p.version))
		}
	}
	if m.Image != "" {
		i, err := parseImage(m.Image)
		if err != nil {
			return err
		}
		if status == Approved && i.digest == "" {
			return errors.New("an approval names the image by its digest: REPOSITORY@sha256:HEX")
		}
	}
	if m.URL != "" {
		if _, err := parsePattern(m.URL); err != nil {
			return err
		}
	}
	switch started := len(m.Argv) > 0 || m.PURL != ""; {
	case m.FileSHA256 != "" && !hexForm.MatchString(m.FileSHA256), m.ScriptSHA256 != "" && !hexForm.MatchString(m.ScriptSHA256):
		return errors.New("fileSha256 and scriptSha256 are 64 lower-case hexadecimal digits")
	case (m.FileSHA256 != "" || m.ScriptSHA256 != "") && len(m.Argv) == 0:
		return errors.New("fileSha256 and scriptSha256 are of what argv starts; write argv, too")
	case m.Integrity != nil && !started:
		return errors.New("integrity is of the package that argv or purl starts; write one of them, too")
	case m.Integrity != nil && status == Denied:
		return errors.New("a denial by integrity would come too late: it is known once the package runs. Deny the purl")
	case !every(m.Integrity, integrityForm.MatchString):
		return errors.New(`integrity is "sha512-" and 64 bytes in base64 (npm), or "sha256:" and 64 lower-case hexadecimal digits (a wheel)`)
	}
	for _, name := range m.Env {
		if !steers(name) {
			return fmt.Errorf("match.env lists variables that change what is started; %q does not, and may be set in any case", analyzers.Untrusted(name))
		}
	}
	return nil
}

var integrityForm = pattern.New(`^(?:sha512-[A-Za-z0-9+/]{86}==|sha256:[0-9a-f]{64})$`)

// exactForms are the versions that never move, by purl type; other types have
// no ranges in a purl.
var exactForms = map[string]*pattern.Pattern{
	"npm":    pattern.New(`^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`),
	"golang": pattern.New(`^v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+incompatible)?$|^[0-9a-f]{40}$`),
	"pypi":   pattern.New(`^\d+(?:!\d+)?[0-9A-Za-z.+_-]*$`),
}

// exact reports whether a version is one that never moves.
func (p pkg) exact() bool {
	ecosystem, _, _ := strings.Cut(p.key, "/")
	form := exactForms[ecosystem]
	return p.version != "" && (form == nil || form.MatchString(p.version))
}

// pinned reports whether an approval by this match names one artefact, and why
// not.
func (m *matcher) pinned() (why string, ok bool) {
	match := &m.entry.Match
	switch {
	case m.pkg != nil || m.image != nil || match.Integrity != nil:
		return "", true
	case len(m.argv) == 0:
		return "what a URL serves can change at any time", false
	}
	starts := m.command()
	switch {
	case match.FileSHA256 != "" && (starts.Script == "" || starts.Script == m.argv[0] || match.ScriptSHA256 != "") && len(starts.packages)+len(starts.images) == 0:
		return "", true
	case !every(starts.packages, func(p pkg) bool { return p.version != "" }):
		return "the command line starts whatever version of a package is served", false
	case !every(starts.images, func(i image) bool { return i.digest != "" }):
		return "the command line starts an image without a digest", false
	case len(starts.packages) == 0 && len(starts.images) == 0:
		return "the command line starts a local program, which can be changed", false
	}
	return "", true
}

// matcher is a match in the form in which it is compared.
type matcher struct {
	entry *Entry
	index int // in the document

	argv  []string
	pkg   *pkg
	image *image
	url   *locations
	env   []string

	starts func() *subject // what the argv starts, to recognise it after a change; see command
}

// newMatcher needs a match that passed its check.
func newMatcher(e *Entry, index int) *matcher {
	m := &matcher{entry: e, index: index, argv: e.Match.Argv, env: e.Match.Env}
	if e.Match.PURL != "" {
		if p, err := parsePURL(e.Match.PURL); err == nil {
			m.pkg = &p
		}
	}
	if e.Match.Image != "" {
		if i, err := parseImage(e.Match.Image); err == nil {
			m.image = &i
		}
	}
	if e.Match.URL != "" {
		m.url, _ = parsePattern(e.Match.URL)
	}
	m.starts = sync.OnceValue(func() *subject { return parseIdentity(Command(m.argv)) })
	return m
}

// command is what the argv starts; without one, nothing. No decision needs it,
// only what is said of a server that no entry decides on, so it is not taken
// apart before.
func (m *matcher) command() *subject {
	if len(m.argv) == 0 {
		return &subject{}
	}
	return m.starts()
}

// canon is equal for two matches that name the same servers.
func (m *matcher) canon() string {
	key := append(quoteAll(nil, m.argv), '|')
	if m.pkg != nil {
		key = quoteAll(key, []string{m.pkg.key, m.pkg.version})
	}
	key = append(key, '|')
	if m.image != nil {
		key = quoteAll(key, []string{m.image.repository, m.image.digest})
	}
	key = append(key, '|')
	if m.url != nil {
		key = quoteAll(key, []string{m.url.String()})
	}
	key = append(quoteAll(append(key, '|'), slices.Sorted(slices.Values(m.env))), '|')
	match := &m.entry.Match
	return string(quoteAll(quoteAll(key, []string{match.FileSHA256, match.ScriptSHA256}), slices.Sorted(slices.Values(match.Integrity))))
}

// quoteAll appends texts so that different lists never look alike.
func quoteAll(to []byte, list []string) []byte {
	for _, s := range list {
		to = append(strconv.AppendQuote(to, s), ' ')
	}
	return to
}

// subject is an identity in the form in which it is compared.
type subject struct {
	Identity
	packages []pkg
	images   []image
	url      *location   // nil without a URL, or where it cannot be compared
	remotes  []*location // nil elements where one cannot be compared
}

func parseIdentity(id Identity) *subject {
	s := &subject{Identity: id}
	for _, p := range id.Packages {
		parsed, err := parsePURL(p)
		if err != nil {
			parsed = pkg{key: "unknown:" + p}
		}
		s.packages = append(s.packages, parsed)
	}
	for _, i := range id.Images {
		parsed, err := parseImage(i)
		if err != nil {
			parsed = image{repository: "unknown:" + i}
		}
		s.images = append(s.images, parsed)
	}
	if id.URL != "" {
		s.url, _ = parseLocation(id.URL)
	}
	for _, u := range id.Remotes {
		l, _ := parseLocation(u)
		s.remotes = append(s.remotes, l)
	}
	return s
}

func (p pkg) covers(other pkg) bool {
	return p.key == other.key && (p.version == "" || p.version == other.version)
}

func (i image) covers(other image) bool {
	return i.repository == other.repository && (i.digest == "" || i.digest == other.digest)
}

// executes reports whether the files that are executed may be those of the
// match: what is not known may be.
func (m *matcher) executes(s *subject) bool {
	may := func(want, have string) bool { return want == "" || have == "" || want == have }
	return may(m.entry.Match.FileSHA256, s.FileSHA256) && may(m.entry.Match.ScriptSHA256, s.ScriptSHA256)
}

// approves reports whether an approval by this match holds for a server: every
// member holds, and together they account for all that is started and reached.
func (m *matcher) approves(s *subject) bool {
	byArgv := m.argv != nil
	switch {
	case byArgv && !slices.Equal(m.argv, s.Argv), !m.executes(s):
		return false
	case m.pkg != nil && !(len(s.packages) > 0 && every(s.packages, m.pkg.covers)) && !(byArgv && slices.ContainsFunc(s.packages, m.pkg.covers)):
		return false
	case m.image != nil && !(len(s.images) > 0 && every(s.images, m.image.covers)) && !(byArgv && slices.ContainsFunc(s.images, m.image.covers)):
		return false
	case m.url != nil && !m.reaches(s, byArgv):
		return false
	case s.URL != "" && m.url == nil:
		return false
	case len(s.Argv) > 0 && !every(s.Env, func(name string) bool { return slices.Contains(m.env, name) }):
		return false
	case byArgv:
		return true
	}
	// Without argv, the other members must account for the command.
	return s.Unclear == "" &&
		(len(s.Argv) == 0 || m.pkg != nil || m.image != nil) &&
		(len(s.packages) == 0 || m.pkg != nil) &&
		(len(s.images) == 0 || m.image != nil) &&
		(len(s.remotes) == 0 || m.url != nil)
}

// reaches compares URLs: the declared one and, unless the argv accounts for
// them, those that the command connects to.
func (m *matcher) reaches(s *subject, byArgv bool) bool {
	holds := func(l *location) bool { return l != nil && m.url.covers(l) }
	if s.URL != "" {
		return holds(s.url) && (byArgv || every(s.remotes, holds))
	}
	if byArgv {
		return slices.ContainsFunc(s.remotes, holds)
	}
	return len(s.remotes) > 0 && every(s.remotes, holds)
}

// touches reports whether a denial or a quarantine by this match holds for a
// server: every member names something of it, whatever else is started.
func (m *matcher) touches(s *subject) bool {
	holds := func(l *location) bool { return l != nil && m.url.covers(l) }
	return (m.argv == nil || slices.Equal(m.argv, s.Argv)) && m.executes(s) &&
		(m.pkg == nil || slices.ContainsFunc(s.packages, m.pkg.covers)) &&
		(m.image == nil || slices.ContainsFunc(s.images, m.image.covers)) &&
		(m.url == nil || holds(s.url) || slices.ContainsFunc(s.remotes, holds))
}

// changed says in what a server differs that may once have been the approved
// one: "version", "image", "url", "environment", "launch", "file"; "" when it has
// nothing to do with it.
func (m *matcher) changed(s *subject) string {
	sameKey := func(a pkg) bool {
		return slices.ContainsFunc(s.packages, func(b pkg) bool { return a.key == b.key })
	}
	sameRepository := func(a image) bool {
		return slices.ContainsFunc(s.images, func(b image) bool { return a.repository == b.repository })
	}
	starts := m.command()
	packages, images := starts.packages, starts.images
	if m.pkg != nil {
		packages = append(packages[:len(packages):len(packages)], *m.pkg)
	}
	if m.image != nil {
		images = append(images[:len(images):len(images)], *m.image)
	}
	switch {
	case m.argv != nil && slices.Equal(m.argv, s.Argv):
		if !m.executes(s) {
			return "file"
		}
		if s.URL != "" && m.url == nil {
			return "url"
		}
		return "environment"
	case slices.ContainsFunc(packages, sameKey):
		if !slices.ContainsFunc(packages, func(p pkg) bool { return slices.ContainsFunc(s.packages, p.covers) }) {
			return "version"
		}
		if len(s.Env) > 0 && m.argv == nil && s.Unclear == "" {
			return "environment"
		}
		return "launch"
	case slices.ContainsFunc(images, sameRepository):
		if !slices.ContainsFunc(images, func(i image) bool { return slices.ContainsFunc(s.images, i.covers) }) {
			return "image"
		}
		return "launch"
	case m.url != nil && (s.url != nil && s.url.host == m.url.host || slices.ContainsFunc(s.remotes, func(l *location) bool { return l != nil && l.host == m.url.host })):
		return "url"
	case starts.Script != "" && starts.Script == s.Script:
		return "launch"
	case len(m.argv) > 0 && len(s.Argv) > 0 && m.argv[0] == s.Argv[0] && own(m) && len(s.packages) == 0 && len(s.images) == 0 && s.Script == "" && !launchers[s.Argv[0]]:
		return "launch"
	case s.Name != "" && Slug(s.Name) == m.entry.ID:
		return "launch"
	}
	return ""
}

// own reports whether the command is a program of its own, not a launcher of
// something.
func own(m *matcher) bool {
	starts := m.command()
	return len(starts.packages) == 0 && len(starts.images) == 0 && starts.Script == ""
}

// launchers start anything: the same one twice says nothing.
var launchers = map[string]bool{
	"sh": true, "bash": true, "zsh": true, "cmd": true, "pwsh": true, "powershell": true, "env": true, "sudo": true,
	"node": true, "python": true, "python3": true, "ruby": true, "java": true, "go": true, "cargo": true, "dotnet": true, "php": true,
	"uv": true, "uvx": true, "npx": true, "npm": true, "pnpm": true, "yarn": true, "bun": true, "bunx": true, "deno": true, "docker": true, "podman": true,
}

func every[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !holds(v) })
}

// Slug makes an id of a server's name: what is no letter, digit, dot or
// underscore becomes a dash; lower case.
func Slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 100 {
			break
		}
	}
	s := strings.Trim(b.String(), "-._")
	if s == "" {
		return "server"
	}
	return s
}

// Identity is the identity of a server that the match stands for: of one below
// a URL that ends in "/*".
func (m *Match) Identity() Identity {
	id := Identity{Packages: nonEmpty(m.PURL), Images: nonEmpty(m.Image)}
	if len(m.Argv) > 0 {
		id = Command(m.Argv)
	}
	if url := strings.TrimSuffix(strings.TrimSuffix(m.URL, "?*"), "*"); url != "" && !slices.Contains(id.Remotes, m.URL) {
		id.URL = url
	}
	id.Env = slices.Sorted(slices.Values(m.Env))
	return id
}

// CommandLine is the identity of a command line as a shell would split it.
func CommandLine(line string) Identity {
	words, _ := launch.Split(analyzers.Text{Value: analyzers.Untrusted(line)})
	argv := make([]string, len(words))
	for i, w := range words {
		argv[i] = w.Raw()
	}
	return Command(argv)
}

// Steered reports whether a variable of that name is among those that change
// what this server starts.
func (id *Identity) Steered(name string) bool { return slices.Contains(id.Env, name) }
