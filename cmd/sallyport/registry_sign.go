package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

func registrySign(p *program) *cli.Command {
	return &cli.Command{
		Name:      "sign",
		Usage:     "sign a registry with a key or an identity",
		ArgsUsage: "FILE",
		Description: `The result is a Sigstore bundle beside the registry: a statement about the digest of the file's bytes, so any change
of the file wants a new signature. Keys, passwords and --keyless are those of manifest sign.

The serial tells a newer registry from an older one; without --serial it is the time in seconds.`,
		Flags: append(signFlags(),
			&cli.Uint64Flag{Name: "serial", Usage: "the `NUMBER` of this registry, above that of the last one"},
			&cli.StringFlag{Name: "expires", Usage: "the signature counts until `TIME`: RFC 3339, or the last day, YYYY-MM-DD"},
		),
		Action: func(c *cli.Context) error { return p.registrySign(c, time.Now()) },
	}
}

func (p *program) registrySign(c *cli.Context, now time.Time) error {
	if err := checkSign(c); err != nil {
		return err
	}
	l, err := p.openRegistry(c.Args().First())
	if err != nil {
		return err
	}
	expires, err := instant(c.String("expires"))
	if err != nil {
		return usage("--expires "+now.AddDate(1, 0, 0).UTC().Format(time.DateOnly), "--expires needs a time of RFC 3339 or a date, not %q", oneLine(c.String("expires")))
	}
	if !expires.IsZero() && !now.Before(expires) {
		return usage("name a later time", "--expires %s is over already", oneLine(c.String("expires")))
	}
	serial := uint64(now.Unix())
	if c.IsSet("serial") {
		serial = c.Uint64("serial")
	}
	statement, err := seal.RegistryStatement(filepath.Base(c.Args().First()), l.Doc.Source.Bytes, serial, now, expires)
	if err != nil {
		return usage("--serial takes a whole number from 1 to 2^53-1", "%s cannot be signed: %s", c.Args().First(), err)
	}
	return p.sign(c, statement, seal.RegistryType)
}

// instant reads a time; a date means its whole day in UTC, "" the zero time.
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	return time.Parse(time.RFC3339, s)
}

func bundleFlag() cli.Flag {
	return &cli.StringFlag{Name: "bundle", Usage: "the signature of the registry, a Sigstore bundle in `FILE`"}
}

func registryVerify(p *program) *cli.Command {
	const example = "sallyport registry verify FILE --bundle BUNDLE --key PUB.pem, or --trusted-root FILE --identity REGEXP --issuer URL"
	return &cli.Command{
		Name:      "verify",
		Usage:     "check the signature of a registry, offline",
		ArgsUsage: "FILE",
		Description: `Believed is a public key (--key), or who is named by --identity and --issuer under a trusted root, as by manifest
verify. Exit codes: 0 verified; 1 refused (a changed byte, another signer, an older serial, expired), with the reason;
2 usage or a file that cannot be read.`,
		Flags: append(policyFlags(), bundleFlag(),
			&cli.StringFlag{Name: "format", Usage: "what stdout gets: text or json", Value: "text"}),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || c.String("bundle") == "" {
				return usage(example, "registry verify needs one file and --bundle")
			}
			if format := c.String("format"); format != "text" && format != "json" {
				return usage("use one of: text, json", "unknown format %q", format)
			}
			verifier, err := p.verifier(c, "", example)
			if err != nil {
				return err
			}
			document, err := p.readInput(c.Args().First(), tree.MaxYAMLBytes)
			if err != nil {
				return err
			}
			bundle, err := p.readInput(c.String("bundle"), seal.MaxBundle)
			if err != nil {
				return err
			}
			result, err := verifyRegistry(verifier, c.Args().First(), document, bundle, c.Uint64("min-serial"))
			if err != nil {
				return err
			}
			return p.sayVerified(c.Args().First(), c.String("format"), result)
		},
	}
}

// verifyRegistry checks a registry's bytes and their bundle.
func verifyRegistry(verifier *seal.Verifier, name string, document, bundle []byte, minSerial uint64) (*seal.Result, error) {
	result, err := verifier.Verify(bundle, seal.Expect{
		PredicateType: seal.RegistryType, Subjects: []string{seal.Digest(document)}, MinSerial: minSerial, Now: time.Now(),
	})
	if err != nil {
		return nil, refused(name, err)
	}
	return result, nil
}

// policed reports whether a flag says whom to believe.
func policed(c *cli.Context) bool {
	return c.String("key") != "" || c.String("trusted-root") != "" || c.String("identity") != "" || c.String("issuer") != ""
}

// unverified is said where a registry is taken without a check.
func (p *program) unverified(name string) {
	fmt.Fprintf(p.stderr, "sallyport: %s: nobody's signature was checked; --key, or --trusted-root with --identity and --issuer, asks for one\n", oneLine(name))
}
