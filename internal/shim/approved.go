package shim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/rules/judge"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/identity"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// approved reads what was approved, and reads it again when it changes.
type approved struct {
	*options
	world World
	say   func(string, ...any)

	exe       *identity.Executable
	pinned    bool     // the entry names the digest of what is executed
	integrity []string // of the package that a launcher starts

	seen  map[string]stamp // of every file that was read
	told  bool
	doubt int // readings in a row that failed

	expires string // when the compiled registry does, RFC 3339; "" for never
}

// stamp tells two states of a file apart.
type stamp struct {
	size int64
	time time.Time
	file fs.FileInfo
}

// poll is how often files are looked at: a revocation counts within a second.
const poll = 300 * time.Millisecond

// patience is how many readings may fail before what cannot be read denies: a
// file may be in the middle of being written.
const patience = 2

// maxDocument bounds each file.
const maxDocument = 32 << 20

func (a *approved) read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, reason(err)
	}
	a.seen[name] = stamp{info.Size(), info.ModTime(), info}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errors.New("it is no file")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err == nil && len(b) > maxDocument {
		err = fmt.Errorf("it has more than %d bytes", maxDocument)
	}
	return b, err
}

// reason is an error without the path, which the caller names.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// load makes a guard of the files as they are now.
func (a *approved) load(now time.Time) (*runtime.Guard, error) {
	a.seen, a.expires = map[string]stamp{}, ""
	reg, err := a.loadRegistry(now)
	if err != nil {
		return nil, err
	}
	sources, err := a.policySources()
	if err != nil {
		return nil, err
	}
	set, problems, err := policy.Compile(reg, sources...)
	if err != nil {
		return nil, err
	}
	if !a.told {
		for _, p := range problems {
			a.say("%s", p)
		}
	}
	list, err := a.ruleSet()
	if err != nil {
		return nil, err
	}
	who, err := reg.Doc.ParseWho(a.as)
	if err != nil {
		return nil, hint("sallyport registry explain WHO shows what the registry knows", "--as: %s", err)
	}
	id := registry.Command(a.argv)
	id.Name = a.name
	if who.Client == "" {
		caller, _ := identity.Parent() // what is not known stays empty
		who.Client = caller.Client
	}
	file, script := reg.Pins(id)
	a.pinned = file || script
	if a.pinned {
		if err := a.exe.Describe(&id, file, script); err != nil && !a.told {
			a.say("what is executed: %s", err)
		}
	}
	c := runtime.Config{
		Policy: set, Identity: id, Who: who, User: account(), Agent: a.agent, Mode: a.mode, Rules: list, SecretsAllowed: a.allowSecrets,
		Limits: runtime.Limits{MinVersion: a.minProtocol}, BreakGlass: a.breakGlass,
	}
	entry := set.Server(id).Decide(&policy.Request{Who: who, User: c.User, Action: policy.Connect, Today: now.UTC().Format(time.DateOnly)}).Entry
	if entry != nil {
		c.AllowedEnv = entry.Match.Env
		c.Zone, a.integrity = entry.Zone, entry.Match.Integrity
		if why, weak := identity.Weak(a.argv); weak && a.integrity == nil && !a.told {
			a.say("%s: entry %q does not say which package it must be (match.integrity)", why, entry.ID)
		}
	}
	if entry != nil && (entry.Manifest.Digest != "" || a.manifest != "") {
		c.Manifest, c.Fault = a.loadManifest(entry)
	} else if entry != nil && entry.Status == registry.Approved && !a.told {
		a.say("entry %q has no manifest: what the server shows is judged, and held against nothing", entry.ID)
	}
	a.told = true
	return runtime.NewGuard(c), nil
}

// ruleSet is the rules of a scan, with those of --rules.
func (a *approved) ruleSet() (func() []*rules.Rule, error) {
	if a.rules == "" {
		return catalog.All, nil
	}
	files, err := filepath.Glob(filepath.Join(a.rules, "*"))
	for _, name := range append(files, a.rules) {
		if info, err := os.Stat(name); err == nil {
			a.seen[name] = stamp{info.Size(), info.ModTime(), info}
		}
	}
	var pack *judge.Pack
	if err == nil {
		pack, err = judge.Default().With(os.DirFS(a.rules))
	}
	var all []*rules.Rule
	if err == nil {
		all, err = catalog.With(pack)
	}
	if err != nil {
		return nil, hint("sallyport rules test DIR", "--rules %s: %s", analyzers.Untrusted(a.rules), err)
	}
	return func() []*rules.Rule { return all }, nil
}

// answered looks once more at what runs, now that the server has answered.
func (a *approved) answered(pid int, held bool) *runtime.Refusal {
	if a.mode != runtime.Enforce {
		return nil
	}
	if a.pinned && !held {
		if err := a.exe.Unchanged(); err != nil {
			return &runtime.Refusal{Rule: "changed-server", Reason: "what was started is not what was approved: " + err.Error(), Next: "start it again; if the change is meant, approve it"}
		}
	}
	if a.integrity == nil {
		return nil
	}
	if _, err := identity.Resolved(pid, a.integrity); err != nil {
		return &runtime.Refusal{Rule: "changed-server", Reason: "the launcher did not start the approved package: " + err.Error(), Next: "sallyport registry explain shows the entry; clear the launcher's cache and start again"}
	}
	return nil
}

func (a *approved) loadRegistry(now time.Time) (*registry.Registry, error) {
	content, err := a.read(a.registry)
	if err != nil {
		return nil, hint("sallyport registry propose TARGET --registry "+a.registry+" begins one", "%s: %s", analyzers.Untrusted(a.registry), err)
	}
	src := &analyzers.Source{Path: a.registry, Bytes: content}
	sig := a.signature
	if bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte(`{"kind":"sallyport.compiled-registry"`)) {
		return a.loadCompiled(src, now)
	}
	switch {
	case sig.Bundle != "":
		if a.world.Verify == nil {
			return nil, hint("sallyport registry compile checks the signature and writes the form that this program checks", "this program cannot check --bundle")
		}
		if err := a.world.Verify(a.registry, content, sig); err != nil {
			return nil, err
		}
	case sig != (Signature{}):
		return nil, hint("--bundle names the signature; or compile the registry: sallyport registry compile", "%s is not signed, and a signature is asked for", analyzers.Untrusted(a.registry))
	case !a.told:
		a.say("the registry %s is not signed; whoever can change it decides what runs", analyzers.Untrusted(a.registry))
	}
	reg, _, err := registry.Load(src, now.UTC().Format(time.DateOnly))
	if err != nil {
		return nil, hint("sallyport registry check "+a.registry, "%s", err)
	}
	return reg, nil
}

func (a *approved) loadCompiled(src *analyzers.Source, now time.Time) (*registry.Registry, error) {
	trust := registry.Trust{Now: now.UTC().Format(time.RFC3339), Expired: a.breakGlass != ""}
	if a.signature.Key != "" {
		b, err := a.read(a.signature.Key)
		if err != nil {
			return nil, hint("--key PUB.pem", "%s: %s", analyzers.Untrusted(a.signature.Key), err)
		}
		if trust.Key, err = registry.ParseKey(b); err != nil {
			return nil, hint("openssl pkey -in LOCAL.pem -pubout makes one", "%s: %s", analyzers.Untrusted(a.signature.Key), err)
		}
	} else if !a.told {
		a.say("no --key: the compiled registry is believed whoever wrote it")
	}
	serials := a.serialFile()
	if b, err := os.ReadFile(serials); err == nil {
		trust.MinSerial, _ = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	}
	reg, from, err := registry.LoadCompiled(src, trust)
	if err != nil {
		return nil, hint("sallyport registry compile writes a new one", "%s: %s", analyzers.Untrusted(a.registry), err)
	}
	if a.expires = from.Expires; trust.Expired {
		a.expires = ""
	}
	if from.Serial > trust.MinSerial && trust.Key != nil {
		if err := a.remember(serials, from.Serial); err != nil && !a.told {
			a.say("the serial %d is not remembered, so an older registry would be accepted: %s", from.Serial, err)
		}
	}
	return reg, nil
}

// serialFile keeps the newest serial that was accepted of a registry under a
// key: an older one is a replay.
func (a *approved) serialFile() string {
	name, _ := filepath.Abs(a.registry)
	sum := sha256.Sum256([]byte(name + "\x00" + a.signature.Key))
	return filepath.Join(a.stateDir, "serials", hex.EncodeToString(sum[:8]))
}

func (a *approved) remember(file string, serial uint64) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(temporary, []byte(strconv.FormatUint(serial, 10)+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

func (a *approved) policySources() ([]*analyzers.Source, error) {
	var out []*analyzers.Source
	for _, p := range a.policies {
		names := []string{p}
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			a.seen[p] = stamp{info.Size(), info.ModTime(), info}
			names, _ = filepath.Glob(filepath.Join(p, "*.cedar"))
			slices.Sort(names)
		}
		for _, name := range names {
			b, err := a.read(name)
			if err != nil {
				return nil, hint("--policy FILE.cedar", "%s: %s", analyzers.Untrusted(name), err)
			}
			out = append(out, &analyzers.Source{Path: name, Bytes: b})
		}
	}
	return out, nil
}

// loadManifest reads the manifest of an entry. It is content-addressed: the
// registry, which is signed, names the digest of the surface, so the file needs
// no signature of its own.
func (a *approved) loadManifest(e *registry.Entry) (*manifest.Manifest, *runtime.Refusal) {
	names := []string{a.manifest}
	if folder := filepath.Dir(a.registry); a.manifest == "" && e.Manifest.Path != "" {
		names = []string{filepath.Join(folder, filepath.FromSlash(path.Clean("/"+e.Manifest.Path)))}
	} else if a.manifest == "" {
		names = nil
		for _, form := range []string{"*.manifest.json", "*.manifest.sigstore.json"} {
			for _, at := range []string{folder, filepath.Join(folder, "manifests")} {
				found, _ := filepath.Glob(filepath.Join(at, form)) // the form is right
				names = append(names, found...)
			}
		}
		names = names[:min(len(names), mostManifests)]
	}
	problem := fmt.Sprintf("entry %q approves the surface %s, and no manifest of it is beside the registry or in manifests", e.ID, e.Manifest.Digest)
	for _, name := range names {
		m, err := a.readManifest(name)
		switch {
		case err == nil && (e.Manifest.Digest == "" || e.Manifest.Digest == "sha256:"+m.Predicate.Surface):
			return m, nil
		case len(names) > 1:
		case err != nil:
			problem = fmt.Sprintf("the manifest %s: %s", analyzers.Untrusted(name), err)
		default:
			problem = fmt.Sprintf("the manifest %s is of another surface than the entry %q approves", analyzers.Untrusted(name), e.ID)
		}
	}
	return nil, &runtime.Refusal{Rule: "untrusted-manifest", Reason: problem, Next: "--manifest FILE names the manifest; sallyport manifest generate writes one"}
}

// mostManifests bounds the files that are looked at for one digest.
const mostManifests = 200

func (a *approved) readManifest(name string) (*manifest.Manifest, error) {
	content, err := a.read(name)
	if err != nil {
		return nil, err
	}
	found, err := statement.Read(&analyzers.Source{Path: name, Bytes: content})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, errors.New("it is another kind of statement")
	}
	return manifest.ParseSource(found.Statement)
}

// watch brings a new guard when a file changes.
func (a *approved) watch(ctx context.Context, guards chan<- *runtime.Guard) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if a.doubt == 0 && !a.changed() {
			continue
		}
		g, err := a.load(time.Now())
		if err != nil {
			if a.doubt++; a.doubt <= patience {
				continue
			}
			if a.doubt == patience+1 {
				a.say("what was approved cannot be read: %s", err)
				g = a.closed(err)
			} else {
				continue
			}
		} else {
			a.doubt = 0
			a.say("what was approved has changed, and counts")
		}
		select {
		case guards <- g:
		case <-ctx.Done():
			return
		}
	}
}

// closed is a guard that refuses everything.
func (a *approved) closed(err error) *runtime.Guard {
	empty, _ := registry.Compile(&registry.Document{}, time.Now().UTC().Format(time.DateOnly))
	set, _, _ := policy.Compile(empty)
	return runtime.NewGuard(runtime.Config{
		Policy: set, Identity: registry.Command(a.argv), Mode: a.mode, Rules: catalog.All,
		Fault: &runtime.Refusal{Rule: "shim/registry", Reason: "the registry cannot be read: " + err.Error(), Next: "mend it: sallyport registry check"},
	})
}

func (a *approved) changed() bool {
	if a.expires != "" && time.Now().UTC().Format(time.RFC3339) >= a.expires {
		return true
	}
	for name, was := range a.seen {
		info, err := os.Stat(name)
		if err != nil || info.Size() != was.size || !info.ModTime().Equal(was.time) || !os.SameFile(info, was.file) {
			return true
		}
	}
	return false
}
