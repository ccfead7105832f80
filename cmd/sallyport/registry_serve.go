package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/registry/export"
	"github.com/sallyport-mcp/sallyport/registry/remote"
)

func registryServe(p *program) *cli.Command {
	const example = "sallyport registry serve --registry FILE --listen 127.0.0.1:8642, or --output DIR"
	return &cli.Command{
		Name:  "serve",
		Usage: "be an MCP registry (API v0.1) of the approved servers, as a server or as files",
		Description: `Clients such as VS Code and GitHub Copilot take the address as their registry. They compare names, no more: export
and the shim enforce the rest. Without a host in ADDR only this machine is served; TLS is a proxy's business.
FILE is read again when it changes. One that cannot be used is said on stderr, and the last good one is served on;
approvals run out on their day in any case.

With a policy (--bundle and --key, or --trusted-root, --identity and --issuer, as for verify) only what verifies is
served, at the start and whenever FILE or its bundle changes; a serial below the last one is refused, and after the
signature's last moment nothing is served. Without one the start says that nobody's signature was checked.

--output writes the same answers as files for a host of static files that sends Access-Control-Allow-Origin and answers
a directory with its index.json. DIR is replaced as a whole, so that nothing denied stays in it.`,
		Flags: append(policyFlags(), bundleFlag(), registryFlag(), asFlag(),
			&cli.StringFlag{Name: "listen", Usage: "serve at `ADDR`: HOST:PORT or :PORT; port 0 takes a free one"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write files into the directory `DIR`"}),
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 || (c.String("listen") == "") == (c.String("output") == "") {
				return usage(example, "registry serve needs either --listen or --output, and no arguments")
			}
			s := &served{program: p, name: c.String("registry"), as: c.String("as"), bundle: c.String("bundle"), serial: c.Uint64("min-serial")}
			if policed(c) != (s.bundle != "") {
				return usage(example+" --bundle BUNDLE --key PUB.pem", "--bundle, and whom to believe, are needed together")
			}
			if policed(c) {
				var err error
				if s.verifier, err = p.verifier(c, "", example+" --bundle BUNDLE --key PUB.pem"); err != nil {
					return err
				}
			} else {
				p.unverified(s.name)
			}
			if err := s.read(today()); err != nil {
				return err
			}
			if dir := c.String("output"); dir != "" {
				return s.files(dir)
			}
			return s.listen(c.Context, c.String("listen"))
		},
	}
}

// served is a registry file and what is served of it.
type served struct {
	*program
	name, as string
	bundle   string         // the file with its signature
	verifier *seal.Verifier // nil: nobody has to have signed it

	mu        sync.Mutex
	seen      [2]fs.FileInfo // of the file and its bundle when they were read; nil: it could not be
	day       string
	catalogue *remote.Catalogue
	serial    uint64    // of the last signature that was accepted
	expires   time.Time // when that ends; zero: never
}

// stat describes the files that are served from.
func (s *served) stat() (out [2]fs.FileInfo) {
	for i, name := range []string{s.name, s.bundle} {
		if name != "" {
			out[i], _ = os.Stat(name)
		}
	}
	return out
}

func unchanged(a, b [2]fs.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) || a[i] != nil && !(os.SameFile(a[i], b[i]) && a[i].ModTime().Equal(b[i].ModTime()) && a[i].Size() == b[i].Size()) {
			return false
		}
	}
	return true
}

// read reads the files for a day. On an error the catalogue stays what it was.
func (s *served) read(day string) error {
	s.day = day
	s.seen = s.stat() // before reading: a change in between is seen next time
	l, err := s.openRegistry(s.name)
	if err != nil {
		return err
	}
	who, err := l.Doc.ParseWho(s.as)
	if err != nil {
		return usage("--as unit=payments,role=developer", "%s", err)
	}
	serial, expires, err := s.verify(l.Doc.Source.Bytes)
	if err != nil {
		return err
	}
	listings, missing, err := export.List(l.Registry, who, day)
	if err != nil {
		return err
	}
	for _, line := range missing {
		fmt.Fprintf(s.stderr, "sallyport: mcp-registry: %s\n", oneLine(line))
	}
	s.catalogue, s.serial, s.expires = remote.NewCatalogue(listings), serial, expires
	return nil
}

// verify holds the document to the policy, and says its serial and until when
// it counts.
func (s *served) verify(document []byte) (uint64, time.Time, error) {
	if s.verifier == nil {
		return 0, time.Time{}, nil
	}
	bundle, err := s.readInput(s.bundle, seal.MaxBundle)
	if err != nil {
		return 0, time.Time{}, err
	}
	result, err := verifyRegistry(s.verifier, s.name, document, bundle, s.serial)
	if err != nil {
		return 0, time.Time{}, err
	}
	return result.Statement.Serial, result.Statement.Expires, nil
}

// current reads the files again when one of them, or the day, is another one.
func (s *served) current() *remote.Catalogue {
	s.mu.Lock()
	defer s.mu.Unlock()
	if day := today(); !unchanged(s.seen, s.stat()) || day != s.day {
		if err := s.read(day); err != nil {
			fmt.Fprintf(s.stderr, "sallyport: %s; the last good one is served on\n", oneLine(err.Error()))
		} else {
			fmt.Fprintf(s.stderr, "sallyport: %s was read again\n", oneLine(s.name))
		}
	}
	if !s.expires.IsZero() && !time.Now().Before(s.expires) {
		fmt.Fprintf(s.stderr, "sallyport: the signature of %s ended at %s; nothing is served until there is a new one\n", oneLine(s.name), stamp(s.expires))
		s.catalogue, s.expires = remote.NewCatalogue(nil), time.Time{}
	}
	return s.catalogue
}

// listen serves until the context ends or the process is asked to.
func (s *served) listen(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return usage("--listen 127.0.0.1:8642", "--listen %s is no HOST:PORT", oneLine(address))
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return usage("name a free port of this machine", "cannot listen at %s: %s", oneLine(address), err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		fmt.Fprintln(s.stderr, "sallyport: other machines can read the registry here, without TLS")
	}
	server := &http.Server{
		Handler:           remote.Handler(s.current),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(s.stderr, "sallyport: ", 0),
	}
	fmt.Fprintf(s.stdout, "serving http://%s/v0.1/servers\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends at once
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(server.Close(), fmt.Errorf("requests were cut off: %w", err))
	}
	return nil
}

// marker is in every directory that files wrote, so that it replaces no other.
const marker = ".sallyport-registry"

// files writes the API as a tree of files: beside DIR first, then in its place.
func (s *served) files(dir string) error {
	dir = filepath.Clean(dir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage("name a directory", "cannot write into %q: %v", dir, reason(err))
	}
	if _, err := os.Lstat(filepath.Join(dir, marker)); err != nil && len(entries) > 0 {
		return usage("name a new or an empty directory", "%q holds something else, and would be replaced", dir)
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), ".sallyport-*")
	if err != nil {
		return usage("name a directory in one that exists", "cannot write %q: %v", dir, reason(err))
	}
	defer os.RemoveAll(beside)
	files := s.catalogue.Files()
	files[marker] = []byte("Written by sallyport registry serve --output, which replaces this directory.\n")
	root := filepath.Join(beside, "new")
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, filepath.Join(beside, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(root, dir); err != nil {
		return errors.Join(err, os.Rename(filepath.Join(beside, "old"), dir))
	}
	_, err = fmt.Fprintf(s.stdout, "wrote %d files below %s\n", len(files), oneLine(dir))
	return err
}
