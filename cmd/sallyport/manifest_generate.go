package main

import (
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/manifest"
)

// holds is how long a manifest holds where nobody says.
const holds = 180 * 24 * time.Hour

func manifestGenerateCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "generate",
		Usage:     "write the manifest of a server from a capture or from a target that holds one",
		ArgsUsage: "TARGET|CAPTURE.json",
		Description: `The same input and times give the same bytes. The time of issue is that of SOURCE_DATE_EPOCH where it is set.
A declaration of the same name in the target says how the server is started; credentials in it are masked.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "o", Usage: "write to `FILE` (default: standard output)", Value: "-"},
			&cli.StringFlag{Name: "server", Usage: "the server called `NAME`, where the target shows several"},
			&cli.StringFlag{Name: "name", Usage: "call the server `NAME` in the manifest"},
			&cli.Int64Flag{Name: "serial", Usage: "the manifest's serial `N`; it grows with each manifest of a server", Value: 1},
			&cli.StringFlag{Name: "previous", Usage: "take the serial behind that of the manifest `FILE`"},
			&cli.StringFlag{Name: "issued", Usage: "issued at `TIME` (RFC 3339; default: now)"},
			&cli.StringFlag{Name: "expires", Usage: "expires at `TIME` (RFC 3339; default: 180 days after it is issued)"},
		},
		Action: func(c *cli.Context) error { return p.manifestGenerate(c) },
	}
}

func (p *program) manifestGenerate(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("sallyport manifest generate capture.json -o NAME.manifest.json", "manifest generate needs one target")
	}
	target := c.Args().First()
	issued, expires, err := p.times(c)
	if err != nil {
		return err
	}
	o, err := observe(c.Context, target, c.String("server"))
	if err != nil {
		return err
	}
	serial := c.Int64("serial")
	if previous := c.String("previous"); previous != "" {
		if c.IsSet("serial") {
			return usage("name one of the two", "--previous and --serial both say the serial")
		}
		old, err := observeFile(c.Context, previous, "")
		if err != nil {
			return err
		}
		if old.manifest == nil {
			return usage("sallyport manifest generate without --previous writes the first one", "%s is no manifest", oneLine(previous))
		}
		serial = old.manifest.Predicate.Serial + 1
	}
	m, document, err := describe(target, o, c.String("name"), manifest.Options{Serial: serial, Issued: issued, Expires: expires})
	if err != nil {
		return err
	}
	return p.writeManifest(c.String("o"), m, document)
}

// describe makes the manifest of a server and its document. Of options, what
// the server is and shows is filled in; a name stands for the server's own.
func describe(target string, o observed, name string, options manifest.Options) (*manifest.Manifest, []byte, error) {
	for _, s := range o.catalog.Secrets {
		if s.Where == "text" && s.Server == o.server {
			at := s.Text.Span.Begin()
			return nil, nil, usage("take it out of the definition, and replace it where it is valid", "%s:%d holds a credential (%s), which a manifest would publish", oneLine(s.Text.Span.Path()), at.Line, s.Kind)
		}
	}
	options.Server, options.Surface = manifest.ServerOf(o.server, o.catalog.Secrets), &o.server.Surface
	switch {
	case name != "":
		options.Server.Name = name
	case options.Server.Name == "": // the capture says none: its file's name
		options.Server.Name = o.server.Name.Raw()
	}
	m, err := manifest.New(options)
	if err != nil {
		return nil, nil, usage("a definition needs one meaning and a name of its own", "%s: %s", oneLine(target), oneLine(err.Error()))
	}
	document, err := m.Bytes()
	if err != nil {
		return nil, nil, err
	}
	if _, err := manifest.Parse(document); err != nil { // what cannot be read again is not written
		return nil, nil, usage("split the server, or report this", "%s: the manifest could not be read again: %s", oneLine(target), oneLine(err.Error()))
	}
	return m, document, nil
}

// writeManifest writes a manifest's document to a file, or to stdout for "-".
func (p *program) writeManifest(out string, m *manifest.Manifest, document []byte) error {
	if out == "-" {
		_, err := p.stdout.Write(append(document, '\n'))
		return err
	}
	if err := writeFile(out, func(w io.Writer) error { _, err := w.Write(document); return err }); err != nil {
		return err
	}
	d := &m.Predicate
	fmt.Fprintf(p.stderr, "sallyport: %s describes server %q, serial %d, until %s; surface sha256:%s\n", oneLine(out), oneLine(d.Server.Name), d.Serial, d.Expires, d.Surface)
	p.sayCapabilities(d.Capabilities)
	if base := path.Base(out); !strings.HasSuffix(base, ".manifest.json") {
		fmt.Fprintln(p.stderr, "sallyport: hint: a scan finds it by itself as NAME.manifest.json beside the configuration")
	}
	return nil
}

// times are issued and expires.
func (p *program) times(c *cli.Context) (issued, expires string, err error) {
	from := time.Now()
	if epoch := p.env("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 || seconds > math.MaxInt32*100 {
			return "", "", usage("set it to seconds since 1970, or unset it", "SOURCE_DATE_EPOCH is %q", epoch)
		}
		from = time.Unix(seconds, 0)
	}
	if from, err = moment(c, "issued", from); err != nil {
		return "", "", err
	}
	until, err := moment(c, "expires", from.Add(holds))
	if err != nil {
		return "", "", err
	}
	if !until.After(from) {
		return "", "", usage("name a later time with --expires", "the manifest would expire at %s, before it is issued at %s", stamp(until), stamp(from))
	}
	return stamp(from), stamp(until), nil
}

func moment(c *cli.Context, flag string, otherwise time.Time) (time.Time, error) {
	text := c.String(flag)
	if text == "" {
		return otherwise, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return otherwise, usage("a time looks like 2026-11-22T00:00:00Z or 2026-11-22", "--%s %q is no time", flag, text)
}

// sayCapabilities tells the person who approves a manifest what the server
// declares in its greeting.
func (p *program) sayCapabilities(c *manifest.Capabilities) {
	switch {
	case c == nil:
		fmt.Fprintln(p.stderr, "sallyport: it pins no capabilities: the capture has no greeting of the server (sallyport inspect writes one)")
	case len(c.Names) == 0:
		fmt.Fprintln(p.stderr, "sallyport: the server declares no capabilities")
	default:
		fmt.Fprintf(p.stderr, "sallyport: the server declares %s\n", oneLine(strings.Join(c.Names, " ")))
	}
}
