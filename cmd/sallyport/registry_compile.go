package main

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/registry"
)

func registryCompile(p *program) *cli.Command {
	const example = "sallyport registry compile FILE -o OUT --bundle BUNDLE --key PUB.pem --sign-key LOCAL.pem"
	return &cli.Command{
		Name:      "compile",
		Usage:     "check a registry's signature and write what decides in it, for the runtime",
		ArgsUsage: "FILE",
		Description: `The compiled form is JSON with the digest and the serial of its source. The signature of the source (--bundle with
--key, or --trusted-root, --identity and --issuer) is checked here, so that the runtime needs no Sigstore; it checks the
signature of --sign-key, an Ed25519 key of this organisation or machine. What is not signed is said.
Exit codes: 0 written; 1 refused, nothing is written; 2 usage or a file that cannot be read.`,
		Flags: append(policyFlags(), bundleFlag(),
			&cli.StringFlag{Name: "sign-key", Usage: "sign the compiled form with the Ed25519 private key in `FILE`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`; - is stdout"}),
		Action: func(c *cli.Context) error {
			name, output := c.Args().First(), c.String("output")
			switch {
			case c.NArg() != 1 || output == "":
				return usage(example, "registry compile needs one file and -o OUT")
			case policed(c) != (c.String("bundle") != ""):
				return usage(example, "--bundle, and whom to believe, are needed together")
			case !policed(c) && c.IsSet("min-serial"):
				return usage(example, "--min-serial is for a signed registry: only its signature has a serial")
			}
			l, err := p.openRegistry(name)
			if err != nil {
				return err
			}
			from := registry.Provenance{Source: seal.Digest(l.Doc.Source.Bytes)}
			if policed(c) {
				verifier, err := p.verifier(c, "", example)
				if err != nil {
					return err
				}
				bundle, err := p.readInput(c.String("bundle"), seal.MaxBundle)
				if err != nil {
					return err
				}
				result, err := verifyRegistry(verifier, name, l.Doc.Source.Bytes, bundle, c.Uint64("min-serial"))
				if err != nil {
					return err
				}
				s := result.Statement
				from.Serial, from.Issued, from.Expires = s.Serial, stamp(s.Issued), stamp(s.Expires)
				from.SignedBy = cmp.Or(result.KeyID, result.Identity)
			} else {
				p.unverified(name)
			}
			var key ed25519.PrivateKey
			signed := "unsigned"
			if path := c.String("sign-key"); path != "" {
				signer, err := p.privateKey(path)
				if err != nil {
					return err
				}
				local, ok := signer.(ed25519.PrivateKey)
				if !ok {
					return usage("openssl genpkey -algorithm ed25519 -out LOCAL.pem makes one", "%s: the compiled form is signed with an Ed25519 key, and this is another kind", path)
				}
				key, signed = local, "signed by "+registry.KeyID(local.Public().(ed25519.PublicKey))
			} else {
				fmt.Fprintln(p.stderr, "sallyport: the compiled form is not signed; --sign-key signs it")
			}
			content, err := l.Encode(from, key)
			if err != nil {
				return usage("nothing was written", "%s cannot be compiled: %s", name, err)
			}
			// What the runtime would refuse is not written.
			trust := registry.Trust{Now: stamp(time.Now())}
			if _, _, err := registry.LoadCompiled(&analyzers.Source{Path: output, Bytes: content}, trust); err != nil {
				return usage("nothing was written", "%s cannot be compiled: %s", name, err)
			}
			if err := p.writeOutput(output, content); err != nil || output == "-" {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "compiled %d servers of %s, serial %d, %s\n", len(l.Doc.Servers), from.Source, from.Serial, signed)
			return err
		},
	}
}
