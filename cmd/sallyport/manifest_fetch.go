package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

func manifestFetchCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "fetch",
		Usage:     "get the manifest of a container image",
		ArgsUsage: "IMAGE",
		Description: `IMAGE is a reference (registry/repository:tag or @sha256:HEX), whose registry is asked, or files, for which nothing
is: oci-layout:DIR[:TAG] or docker-archive:FILE[:TAG] (what docker save writes). Taken is what is attached to the
image and, of files, what the image holds as *.manifest.json or *.manifest.sigstore.json. With a policy, as for
verify, the newest counts that verifies; without one nobody's signature is checked and there must be one only.`,
		Flags: append(policyFlags(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the manifest, a bundle where it is signed, to `FILE`; - is stdout"},
			&cli.BoolFlag{Name: "offline", Usage: "forbid all network use: only files are read"},
			plainHTTPFlag),
		Action: func(c *cli.Context) error { return p.manifestFetch(c) },
	}
}

func (p *program) manifestFetch(c *cli.Context) error {
	const example = "sallyport manifest fetch IMAGE -o FILE.manifest.sigstore.json"
	if c.NArg() != 1 {
		return usage(example, "manifest fetch needs one image")
	}
	image := c.Args().First()
	subject, found, err := p.fetch(c, image)
	if err != nil {
		return err
	}
	var chosen *seal.Attached
	if policed(c) {
		verifier, err := p.verifier(c, "", example+" --key PUB.pem")
		if err != nil {
			return err
		}
		want := seal.Expect{MinSerial: c.Uint64("min-serial"), Now: time.Now()}
		if chosen, _, err = newest(verifier, found, want); err != nil {
			return refused(image, err)
		}
	} else {
		p.unverified(image)
		if len(found) > 1 {
			for _, a := range found {
				fmt.Fprintln(p.stderr, "sallyport: found", oneLine(a.Digest))
			}
			return usage("say whom to believe: --key, or --trusted-root with --identity and --issuer", "%s has %d manifests", image, len(found))
		}
		if len(found) == 1 {
			chosen = &found[0]
		}
	}
	if chosen == nil {
		return refused(image, &seal.Refusal{Reason: seal.Malformed, Detail: "it has no manifest", Hint: "sallyport manifest attach BUNDLE --image REF"})
	}
	if out := c.String("output"); out != "" {
		if err := p.writeOutput(out, chosen.Bundle); err != nil || out == "-" {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s of image %s\n", oneLine(chosen.Digest), oneLine(subject))
	return err
}

// newest is the one of those that verify with the highest serial.
func newest(v *seal.Verifier, found []seal.Attached, want seal.Expect) (*seal.Attached, *seal.Result, error) {
	var candidates [][]byte
	for _, a := range found {
		candidates = append(candidates, a.Bundle)
	}
	result, err := best(v, candidates, want)
	if result == nil {
		return nil, nil, err
	}
	for i := range found {
		if r, err := v.Verify(found[i].Bundle, want); err == nil && r.Statement.Serial == result.Statement.Serial {
			return &found[i], r, nil
		}
	}
	return nil, nil, err
}

// The schemes of images that are files.
const (
	layoutScheme  = "oci-layout:"
	archiveScheme = "docker-archive:"
	imageScheme   = "oci:"
)

// isImage reports whether the value of a flag names an image and not a file.
func isImage(s string) bool {
	return strings.HasPrefix(s, layoutScheme) || strings.HasPrefix(s, archiveScheme) || strings.HasPrefix(s, imageScheme)
}

// fetch finds the manifests of an image and the image's digest.
func (p *program) fetch(c *cli.Context, image string) (string, []seal.Attached, error) {
	if rest, ok := strings.CutPrefix(image, layoutScheme); ok {
		name, tag := cutTag(rest)
		root, err := os.OpenRoot(name)
		if err != nil {
			return "", nil, usage("name the directory of an OCI image layout", "cannot read %q: %v", name, reason(err))
		}
		defer root.Close()
		return layoutOf(image, root.FS(), tag)
	}
	if rest, ok := strings.CutPrefix(image, archiveScheme); ok {
		name, tag := cutTag(rest)
		f, err := os.Open(name)
		if err != nil {
			return "", nil, usage("name a file that docker save has written", "cannot read %q: %v", name, reason(err))
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return "", nil, usage("name a file that docker save has written", "%q is no regular file", name)
		}
		files, err := seal.Archive(f, info.Size())
		if err != nil {
			return "", nil, usage("an archive that is packed is unpacked first (gunzip)", "%s: %s", image, oneLine(err.Error()))
		}
		return layoutOf(image, files, tag)
	}
	if c.Bool("offline") {
		return "", nil, usage("leave --offline out, or name files: "+layoutScheme+"DIR", "--offline forbids to ask the registry of %s", image)
	}
	ctx, cancel := context.WithTimeout(c.Context, serviceTimeout)
	defer cancel()
	image = strings.TrimPrefix(image, imageScheme)
	subject, found, err := imageRegistry(c).Fetch(ctx, image)
	if err != nil {
		return "", nil, registryFailure(c, "read from", image, err)
	}
	return subject, found, nil
}

func layoutOf(image string, files fs.FS, tag string) (string, []seal.Attached, error) {
	subject, found, err := seal.Layout{FS: files, Image: tag, Named: statement.Named}.Fetch()
	var refusal *seal.Refusal
	switch {
	case errors.As(err, &refusal):
		return "", nil, usage(refusal.Hint, "%s: %s", image, oneLine(refusal.Detail))
	case err != nil:
		return "", nil, usage("skopeo copy docker://IMAGE oci:DIR:TAG writes a layout", "%s: %s", image, oneLine(err.Error()))
	}
	return subject, found, nil
}

// cutTag takes the tag or digest from behind a path.
func cutTag(s string) (name, tag string) {
	if at := strings.LastIndex(s, "@sha256:"); at >= 0 {
		return s[:at], s[at+1:]
	}
	if colon := strings.LastIndexByte(s, ':'); colon > 1 && colon > strings.LastIndexAny(s, `/\`) { // "C:" is a drive
		return s[:colon], s[colon+1:]
	}
	return s, ""
}

// imageManifests are the manifests of an image that a scan was told of: with
// --manifest-key and its like the newest that verifies, else whatever is there.
func (p *program) imageManifests(c *cli.Context, image string) ([]*analyzers.Manifest, error) {
	subject, found, err := p.fetch(c, image)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(signerFlags, func(f cli.Flag) bool { return c.IsSet(f.Names()[0]) }) {
		verifier, err := p.verifier(c, "manifest-", "sallyport scan --manifest-key PUB.pem")
		if err != nil {
			return nil, err
		}
		if chosen, _, _ := newest(verifier, found, seal.Expect{Now: time.Now()}); chosen != nil { // without one each is said to be invalid
			found = []seal.Attached{*chosen}
		}
	}
	if len(found) == 0 {
		return nil, usage("sallyport manifest attach BUNDLE --image REF", "%s has no manifest", image)
	}
	var out []*analyzers.Manifest
	for _, a := range found {
		m, err := statement.Read(&analyzers.Source{Path: path.Join(image, a.Digest), Bytes: a.Bundle})
		if err != nil {
			return nil, usage("sallyport manifest fetch "+quoteArg(image), "%s of %s: %s", oneLine(a.Digest), image, oneLine(err.Error()))
		}
		if m == nil {
			continue
		}
		m.Shipped = true
		if subject != "" {
			m.PURLs = append(m.PURLs, "pkg:oci/image@"+subject)
		}
		out = append(out, m)
	}
	return out, nil
}
