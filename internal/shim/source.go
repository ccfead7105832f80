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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/rules/judge"
	"github.com/sallyport-mcp/sallyport/runtime/identity"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// source reads what all servers of a connection have in common, and reads it
// again when it changes: the registry, policies and rules. It makes a guard of
// it for each server.
type source struct {
	*options
	world   World
	say     func(string, ...any)
	servers []*approved

	client string // the program that has started this one; "" where that is not known
	user   string

	common atomic.Pointer[common]
	files  files
	told   bool
	doubt  int // readings in a row that failed

	expires string // when the compiled registry does, RFC 3339; "" for never
}

// common is what the files said when they were read. It does not change.
type common struct {
	registry *registry.Registry
	policies *policy.Set
	rules    func() []*rules.Rule
	who      registry.Who
}

func newSource(o *options, w World, say func(string, ...any)) *source {
	caller, _ := identity.Parent() // what is not known stays empty
	return &source{options: o, world: w, say: say, client: caller.Client, user: account()}
}

// files are the states in which files were read; zero for one that could not
// be opened.
type files map[string]stamp

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

func (f files) note(name string, info fs.FileInfo) {
	f[name] = stamp{info.Size(), info.ModTime(), info}
}

func (f files) read(name string) ([]byte, error) {
	at, err := os.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer at.Close()
	info, err := at.Stat()
	if err != nil {
		return nil, reason(err)
	}
	f.note(name, info)
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errors.New("it is no file")
	}
	b, err := io.ReadAll(io.LimitReader(at, maxDocument+1))
	if err == nil && len(b) > maxDocument {
		err = fmt.Errorf("it has more than %d bytes", maxDocument)
	}
	return b, err
}

func (f files) changed() bool {
	for name, was := range f {
		info, err := os.Stat(name)
		if was.file == nil && err != nil {
			continue // not there then, not there now
		}
		if was.file == nil || err != nil || info.Size() != was.size || !info.ModTime().Equal(was.time) || !os.SameFile(info, was.file) {
			return true
		}
	}
	return false
}

// reason is an error without the path, which the caller names.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// load reads the files as they are now.
func (s *source) load(now time.Time) error {
	s.files, s.expires = files{}, ""
	reg, err := s.loadRegistry(now)
	if err != nil {
		return err
	}
	sources, err := s.policySources()
	if err != nil {
		return err
	}
	set, problems, err := policy.Compile(reg, sources...)
	if err != nil {
		return err
	}
	if !s.told {
		for _, p := range problems {
			s.say("%s", p)
		}
	}
	list, err := s.ruleSet()
	if err != nil {
		return err
	}
	who, err := reg.Doc.ParseWho(s.as)
	if err != nil {
		return hint("sallyport registry explain WHO shows what the registry knows", "--as: %s", err)
	}
	if who.Client == "" {
		who.Client = s.client
	}
	s.told = true
	s.common.Store(&common{reg, set, list, who})
	return nil
}

// ruleSet is the rules of a scan, with those of --rules.
func (s *source) ruleSet() (func() []*rules.Rule, error) {
	if s.rules == "" {
		return catalog.All, nil
	}
	names, err := filepath.Glob(filepath.Join(s.rules, "*"))
	for _, name := range append(names, s.rules) {
		if info, err := os.Stat(name); err == nil {
			s.files.note(name, info)
		}
	}
	var pack *judge.Pack
	if err == nil {
		pack, err = judge.Default().With(os.DirFS(s.rules))
	}
	var all []*rules.Rule
	if err == nil {
		all, err = catalog.With(pack)
	}
	if err != nil {
		return nil, hint("sallyport rules test DIR", "--rules %s: %s", analyzers.Untrusted(s.rules), err)
	}
	return func() []*rules.Rule { return all }, nil
}

func (s *source) loadRegistry(now time.Time) (*registry.Registry, error) {
	content, err := s.files.read(s.registry)
	if err != nil {
		return nil, hint("sallyport registry propose TARGET --registry "+s.registry+" begins one", "%s: %s", analyzers.Untrusted(s.registry), err)
	}
	src := &analyzers.Source{Path: s.registry, Bytes: content}
	sig := s.signature
	if bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), []byte(`{"kind":"sallyport.compiled-registry"`)) {
		return s.loadCompiled(src, now)
	}
	switch {
	case sig.Bundle != "":
		if s.world.Verify == nil {
			return nil, hint("sallyport registry compile checks the signature and writes the form that this program checks", "this program cannot check --bundle")
		}
		if err := s.world.Verify(s.registry, content, sig); err != nil {
			return nil, err
		}
	case sig != (Signature{}):
		return nil, hint("--bundle names the signature; or compile the registry: sallyport registry compile", "%s is not signed, and a signature is asked for", analyzers.Untrusted(s.registry))
	case !s.told:
		s.say("the registry %s is not signed; whoever can change it decides what runs", analyzers.Untrusted(s.registry))
	}
	reg, _, err := registry.Load(src, now.UTC().Format(time.DateOnly))
	if err != nil {
		return nil, hint("sallyport registry check "+s.registry, "%s", err)
	}
	return reg, nil
}

func (s *source) loadCompiled(src *analyzers.Source, now time.Time) (*registry.Registry, error) {
	trust := registry.Trust{Now: now.UTC().Format(time.RFC3339), Expired: s.breakGlass != ""}
	if s.signature.Key != "" {
		b, err := s.files.read(s.signature.Key)
		if err != nil {
			return nil, hint("--key PUB.pem", "%s: %s", analyzers.Untrusted(s.signature.Key), err)
		}
		if trust.Key, err = registry.ParseKey(b); err != nil {
			return nil, hint("openssl pkey -in LOCAL.pem -pubout makes one", "%s: %s", analyzers.Untrusted(s.signature.Key), err)
		}
	} else if !s.told {
		s.say("no --key: the compiled registry is believed whoever wrote it")
	}
	serials := s.serialFile()
	if b, err := os.ReadFile(serials); err == nil {
		trust.MinSerial, _ = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	}
	reg, from, err := registry.LoadCompiled(src, trust)
	if err != nil {
		return nil, hint("sallyport registry compile writes a new one", "%s: %s", analyzers.Untrusted(s.registry), err)
	}
	if s.expires = from.Expires; trust.Expired {
		s.expires = ""
	}
	if from.Serial > trust.MinSerial && trust.Key != nil {
		if err := s.remember(serials, from.Serial); err != nil && !s.told {
			s.say("the serial %d is not remembered, so an older registry would be accepted: %s", from.Serial, err)
		}
	}
	return reg, nil
}

// serialFile keeps the newest serial that was accepted of a registry under a
// key: an older one is a replay.
func (s *source) serialFile() string {
	name, _ := filepath.Abs(s.registry)
	sum := sha256.Sum256([]byte(name + "\x00" + s.signature.Key))
	return filepath.Join(s.stateDir, "serials", hex.EncodeToString(sum[:8]))
}

func (s *source) remember(file string, serial uint64) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(temporary, []byte(strconv.FormatUint(serial, 10)+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

func (s *source) policySources() ([]*analyzers.Source, error) {
	var out []*analyzers.Source
	for _, p := range s.policies {
		names := []string{p}
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			s.files.note(p, info)
			names, _ = filepath.Glob(filepath.Join(p, "*.cedar"))
			slices.Sort(names)
		}
		for _, name := range names {
			b, err := s.files.read(name)
			if err != nil {
				return nil, hint("--policy FILE.cedar", "%s: %s", analyzers.Untrusted(name), err)
			}
			out = append(out, &analyzers.Source{Path: name, Bytes: b})
		}
	}
	return out, nil
}

// watch brings new guards when a file changes: to all servers, or to the one
// whose manifest it is.
func (s *source) watch(ctx context.Context) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.look(time.Now())
		}
	}
}

func (s *source) look(now time.Time) {
	if s.doubt == 0 && !s.changed(now) {
		for _, a := range s.servers {
			a.look()
		}
		return
	}
	if err := s.load(now); err != nil {
		if s.doubt++; s.doubt == patience+1 {
			s.say("what was approved cannot be read: %s", err)
			for _, a := range s.servers {
				a.renew(a.closed(err))
			}
		}
		return
	}
	s.doubt = 0
	s.say("what was approved has changed, and counts")
	found := manifests{}
	for _, a := range s.servers {
		a.renew(a.guard(found, now))
	}
}

func (s *source) changed(now time.Time) bool {
	return s.expires != "" && now.UTC().Format(time.RFC3339) >= s.expires || s.files.changed()
}
