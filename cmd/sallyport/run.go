package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/internal/shim"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/telemetry"
)

func runCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:            "run",
		Usage:           "start an MCP server behind the shim, which enforces the registry",
		ArgsUsage:       "--registry FILE [options] -- CMD [ARGS...]",
		SkipFlagParsing: true, // what comes after -- is the server's
		Action: func(c *cli.Context) error {
			ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM)
			defer stop()
			code := shim.Run(ctx, c.Args().Slice(), shim.World{
				Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Env: os.Environ(), Verify: p.verifySigned, Telemetry: exportRecords,
			})
			if code != exitClean {
				return &failure{code: code} // what there is to say was said
			}
			return nil
		},
	}
}

// verifySigned checks the signature of a registry that is about to be enforced.
func (p *program) verifySigned(name string, document []byte, s shim.Signature) error {
	const example = "sallyport run --registry FILE --bundle BUNDLE --key PUB.pem -- CMD"
	policy := seal.Policy{Identity: s.Identity, Issuer: s.Issuer}
	if s.Key != "" {
		content, err := p.readInput(s.Key, seal.MaxBundle)
		if err != nil {
			return err
		}
		if policy.Key, err = seal.LoadPublicKey(content); err != nil {
			return usage(example, "%s: %s", s.Key, err)
		}
	}
	if s.TrustedRoot != "" {
		root, err := p.trustedRoot(s.TrustedRoot)
		if err != nil {
			return err
		}
		policy.Root = root
	}
	verifier, err := seal.NewVerifier(policy)
	if err != nil {
		return usage(example, "%s", err)
	}
	bundle, err := p.readInput(s.Bundle, seal.MaxBundle)
	if err != nil {
		return err
	}
	if _, err := verifier.Verify(bundle, seal.Expect{PredicateType: seal.RegistryType, Subjects: []string{seal.Digest(document)}, Now: time.Now()}); err != nil {
		return refused(name, err)
	}
	return nil
}

// exportRecords starts OpenTelemetry and Prometheus, as far as they are asked
// for.
func exportRecords(ctx context.Context, metrics string, warn func(string)) (func(*audit.Record), func(), error) {
	t, err := telemetry.Start(ctx, telemetry.Options{Metrics: metrics, Version: version, Warn: warn})
	if err != nil || t == nil {
		return nil, nil, err
	}
	return t.Observe, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = t.Close(ctx) // what cannot be sent any more is lost, and the log has it
	}, nil
}
