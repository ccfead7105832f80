package shim

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/identity"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// approved is what was approved of one server: what the source says of its
// command line, and its manifest.
type approved struct {
	*options
	source *source
	say    func(string, ...any)
	exe    *identity.Executable
	guards chan *runtime.Guard // the newest that the session has not got
	ended  atomic.Bool

	what  atomic.Pointer[executed]
	files files // those that have decided which manifest it is
	told  bool
	doubt int // looks in a row at which there was no manifest
}

// executed is what an entry says of what is started.
type executed struct {
	pinned    bool     // it names the digest of the file
	integrity []string // of the package that a launcher starts
}

// guard is what the files say of the server now.
func (a *approved) guard(found manifests, now time.Time) *runtime.Guard {
	common := a.source.common.Load()
	id := registry.Command(a.argv)
	id.Name = a.name
	file, script := common.registry.Pins(id)
	what := &executed{pinned: file || script}
	if what.pinned {
		if err := a.exe.Describe(&id, file, script); err != nil && !a.told {
			a.say("what is executed: %s", err)
		}
	}
	c := runtime.Config{
		Policy: common.policies, Identity: id, Who: common.who, User: a.source.user, Agent: a.agent, Mode: a.mode, Rules: common.rules, SecretsAllowed: a.allowSecrets,
		Limits: runtime.Limits{MinVersion: a.minProtocol}, BreakGlass: a.breakGlass,
	}
	entry := c.Policy.Server(id).Decide(&policy.Request{Who: c.Who, User: c.User, Action: policy.Connect, Today: now.UTC().Format(time.DateOnly)}).Entry
	a.files = files{}
	if entry != nil {
		c.AllowedEnv = entry.Match.Env
		c.Zone, what.integrity = entry.Zone, entry.Match.Integrity
		if why, weak := identity.Weak(a.argv); weak && what.integrity == nil && !a.told {
			a.say("%s: entry %q does not say which package it must be (match.integrity)", why, entry.ID)
		}
	}
	if entry != nil && (entry.Manifest.Digest != "" || a.manifest != "") {
		c.Manifest, c.Fault = a.loadManifest(entry, found)
	} else if entry != nil && entry.Status == registry.Approved && !a.told {
		a.say("entry %q has no manifest: what the server shows is judged, and held against nothing", entry.ID)
	}
	a.told = true
	a.what.Store(what)
	return runtime.NewGuard(c)
}

// look brings a new guard when the server's manifest has changed.
func (a *approved) look() {
	if a.ended.Load() || a.doubt == 0 && !a.files.changed() {
		return
	}
	g := a.guard(manifests{}, time.Now())
	if g.Fault != nil {
		if a.doubt++; a.doubt <= patience {
			return
		}
	}
	a.doubt = 0
	a.say("its manifest has changed, and counts")
	a.renew(g)
}

// renew hands a guard to the session, in place of one that it has not got yet.
func (a *approved) renew(g *runtime.Guard) {
	select {
	case <-a.guards:
	default:
	}
	a.guards <- g
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

// answered looks once more at what runs, now that the server has answered.
func (a *approved) answered(pid int, held bool) *runtime.Refusal {
	if a.mode != runtime.Enforce {
		return nil
	}
	what := a.what.Load()
	if what.pinned && !held {
		if err := a.exe.Unchanged(); err != nil {
			return &runtime.Refusal{Rule: "changed-server", Reason: "what was started is not what was approved: " + err.Error(), Next: "start it again; if the change is meant, approve it"}
		}
	}
	if what.integrity == nil {
		return nil
	}
	if _, err := identity.Resolved(pid, what.integrity); err != nil {
		return &runtime.Refusal{Rule: "changed-server", Reason: "the launcher did not start the approved package: " + err.Error(), Next: "sallyport registry explain shows the entry; clear the launcher's cache and start again"}
	}
	return nil
}

// loadManifest reads the manifest of an entry. It is content-addressed: the
// registry, which is signed, names the digest of the surface, so the file needs
// no signature of its own.
func (a *approved) loadManifest(e *registry.Entry, found manifests) (*manifest.Manifest, *runtime.Refusal) {
	names := []string{a.manifest}
	tried := files{}
	if folder := filepath.Dir(a.registry); a.manifest == "" && e.Manifest.Path != "" {
		names = []string{filepath.Join(folder, filepath.FromSlash(path.Clean("/"+e.Manifest.Path)))}
	} else if a.manifest == "" {
		names = nil
		for _, form := range []string{"*.manifest.json", "*.manifest.sigstore.json"} {
			for _, at := range []string{folder, filepath.Join(folder, "manifests")} {
				there, _ := filepath.Glob(filepath.Join(at, form)) // the form is right
				names = append(names, there...)
			}
		}
		names = names[:min(len(names), mostManifests)]
	}
	problem := fmt.Sprintf("entry %q approves the surface %s, and no manifest of it is beside the registry or in manifests", e.ID, e.Manifest.Digest)
	for _, name := range names {
		m := found.read(name)
		tried[name] = m.was
		switch {
		case m.err == nil && (e.Manifest.Digest == "" || e.Manifest.Digest == "sha256:"+m.manifest.Predicate.Surface):
			if e.Manifest.Capabilities == "" || e.Manifest.Capabilities == m.manifest.Predicate.Capabilities.Approval() {
				a.files = files{name: m.was} // others may change without it
				return m.manifest, nil
			}
			problem = fmt.Sprintf("the manifest %s pins other capabilities than the entry %q approves", analyzers.Untrusted(name), e.ID)
		case len(names) > 1:
		case m.err != nil:
			problem = fmt.Sprintf("the manifest %s: %s", analyzers.Untrusted(name), m.err)
		default:
			problem = fmt.Sprintf("the manifest %s is of another surface than the entry %q approves", analyzers.Untrusted(name), e.ID)
		}
	}
	a.files = tried
	return nil, &runtime.Refusal{Rule: "untrusted-manifest", Reason: problem, Next: "--manifest FILE names the manifest; sallyport manifest generate writes one"}
}

// mostManifests bounds the files that are looked at for one digest.
const mostManifests = 200

// manifests are those that were read at one time for the servers of a
// connection, by file.
type manifests map[string]*readManifest

type readManifest struct {
	manifest *manifest.Manifest
	err      error
	was      stamp
}

func (all manifests) read(name string) *readManifest {
	if m := all[name]; m != nil {
		return m
	}
	m, at := &readManifest{}, files{}
	all[name] = m
	content, err := at.read(name)
	m.was = at[name]
	if err != nil {
		m.err = err
		return m
	}
	found, err := statement.Read(&analyzers.Source{Path: name, Bytes: content})
	switch {
	case err != nil:
		m.err = err
	case found == nil:
		m.err = errors.New("it is another kind of statement")
	default:
		m.manifest, m.err = manifest.ParseSource(found.Statement)
	}
	return m
}
