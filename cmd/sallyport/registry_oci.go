package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/registry/remote"
)

// bundleFile is where pull puts the signature, beside registry.DefaultFile.
const bundleFile = "sallyport.registry.sigstore.json"

func registryPush(p *program) *cli.Command {
	const example = "sallyport registry push FILE BUNDLE --to HOST/REPOSITORY:TAG"
	return &cli.Command{
		Name:      "push",
		Usage:     "keep a registry and its signature in an OCI registry",
		ArgsUsage: "FILE [BUNDLE]",
		Description: `FILE becomes an artifact of type ` + remote.ArtifactType + `, BUNDLE (registry sign)
its second layer. Logins are those of docker and podman; their credential helpers are started. The digest that is
printed pins exactly this content: registry pull HOST/REPOSITORY@sha256:HEX.`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "to", Usage: "the reference `REF`: HOST/REPOSITORY:TAG"}, plainHTTPFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 || c.String("to") == "" {
				return usage(example, "registry push needs a file, may have its bundle, and needs --to")
			}
			l, err := p.openRegistry(c.Args().First())
			if err != nil {
				return err
			}
			var bundle []byte
			if c.NArg() == 2 {
				if bundle, err = p.readInput(c.Args().Get(1), seal.MaxBundle); err != nil {
					return err
				}
			} else {
				fmt.Fprintln(p.stderr, "sallyport: pushed without a signature; registry sign makes one")
			}
			ctx, cancel := context.WithTimeout(c.Context, serviceTimeout)
			defer cancel()
			digest, err := remote.Push(ctx, imageRegistry(c), c.String("to"), l.Doc.Source.Bytes, bundle)
			if err != nil {
				return artifactFailure(c, "pushed to", c.String("to"), err)
			}
			_, err = fmt.Fprintf(p.stdout, "pushed %s to %s\n", digest, oneLine(c.String("to")))
			return err
		},
	}
}

func registryPull(p *program) *cli.Command {
	const example = "sallyport registry pull HOST/REPOSITORY:TAG -o DIR --key PUB.pem"
	return &cli.Command{
		Name:      "pull",
		Usage:     "get a registry and its signature from an OCI registry",
		ArgsUsage: "REF",
		Description: `Writes ` + registry.DefaultFile + ` and, when it is signed, ` + bundleFile + ` into DIR. With --key, or
--trusted-root, --identity and --issuer, the signature is checked first, as by registry verify, and nothing is written
when it is refused (exit 1). HOST/REPOSITORY@sha256:HEX gets exactly that content or nothing.`,
		Flags: append(policyFlags(), plainHTTPFlag,
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write into the directory `DIR`"}),
		Action: func(c *cli.Context) error {
			ref := c.Args().First()
			if c.NArg() != 1 || c.String("output") == "" {
				return usage(example, "registry pull needs one reference and -o DIR")
			}
			var verifier *seal.Verifier
			var err error
			if policed(c) { // wrong flags are said before anybody is asked
				if verifier, err = p.verifier(c, "", example); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(c.Context, serviceTimeout)
			defer cancel()
			a, err := remote.Pull(ctx, imageRegistry(c), ref)
			if err != nil {
				return artifactFailure(c, "pulled from", ref, err)
			}
			switch {
			case verifier == nil:
				p.unverified(ref)
			case a.Bundle == nil:
				return refused(ref, &seal.Refusal{Reason: seal.Malformed, Detail: "it is not signed", Hint: "sallyport registry sign FILE, and push FILE with its BUNDLE"})
			default:
				if _, err := verifyRegistry(verifier, ref, a.Document, a.Bundle, c.Uint64("min-serial")); err != nil {
					return err
				}
			}
			if err := p.keep(c.String("output"), a); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "pulled %s into %s\n", a.Digest, oneLine(c.String("output")))
			return err
		},
	}
}

// keep writes what was pulled. The signature comes first: whoever reads in
// between has a document with the wrong signature, and refuses it.
func (p *program) keep(dir string, a *remote.Artifact) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usage("name a directory that can be written", "cannot make %q: %v", dir, reason(err))
	}
	bundle := filepath.Join(dir, bundleFile)
	if a.Bundle != nil {
		if err := p.writeOutput(bundle, a.Bundle); err != nil {
			return err
		}
	} else if _, err := os.Lstat(bundle); err == nil {
		return usage("remove it, or name another directory", "%q belongs to an older registry, and this one is not signed", bundle)
	}
	return p.writeOutput(filepath.Join(dir, registry.DefaultFile), a.Document)
}

// artifactFailure explains why nothing was pushed or pulled.
func artifactFailure(c *cli.Context, what, ref string, err error) error {
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	var r *seal.Refusal
	hint := "is the reference right, and are you logged in (docker login)?"
	switch {
	case errors.As(err, &r):
		return usage(r.Hint, "nothing was %s %s: %s", what, ref, err)
	case errors.Is(err, seal.ErrPlainHTTP):
		hint = "--plain-http allows it, where nobody else can listen"
	case errors.Is(err, remote.ErrNotFound):
		hint = "sallyport registry push FILE BUNDLE --to " + quoteArg(ref)
	case errors.Is(err, remote.ErrPinned):
		hint = "HOST/REPOSITORY:TAG"
	case errors.Is(err, remote.ErrNotRegistry):
		hint = "sallyport registry push writes one"
	}
	return usage(hint, "nothing was %s %s: %s", what, ref, err)
}
