package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

// serviceTimeout bounds all that a signature or a registry may take.
const serviceTimeout = 3 * time.Minute

func manifestSignCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "sign",
		Usage:     "sign a manifest with a key or an identity",
		ArgsUsage: "FILE",
		Description: `FILE is the statement that manifest generate writes. The result is a Sigstore bundle.

With --key nothing is contacted unless a service is named. The key is PEM, also encrypted or cosign's own; its password
comes from the environment variable SALLYPORT_KEY_PASSWORD, or COSIGN_PASSWORD.

With --keyless an identity token (--identity-token, SIGSTORE_ID_TOKEN, or that of a GitHub Actions job with
"permissions: id-token: write") is exchanged for a certificate. Without --signing-config or --fulcio-url that is done by
the public Sigstore instance, whose log shows the identity and the digests to everybody, for ever.`,
		Flags:  signFlags(),
		Action: func(c *cli.Context) error { return p.manifestSign(c) },
	}
}

// signFlags say who signs and who vouches for it.
func signFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the bundle to `FILE`; - is stdout"},
		&cli.StringFlag{Name: "key", Usage: "sign with the private key in `FILE`"},
		&cli.BoolFlag{Name: "keyless", Usage: "sign with an identity and a certificate for it"},
		&cli.StringFlag{Name: "identity-token", Usage: "the identity token is in `FILE`; - is standard input"},
		&cli.StringFlag{Name: "signing-config", Usage: "the services are those of the Sigstore signing config in `FILE`"},
		&cli.StringFlag{Name: "fulcio-url", Usage: "get the certificate from `URL`"},
		&cli.StringFlag{Name: "rekor-url", Usage: "enter the signature in the transparency log at `URL`"},
		&cli.UintFlag{Name: "rekor-version", Usage: "API version of that log: 1 or 2", Value: 1},
		&cli.StringSliceFlag{Name: "tsa-url", Usage: "get a timestamp (RFC 3161) from `URL`; repeatable"},
		&cli.StringFlag{Name: "trusted-root", Usage: "check the finished bundle against the trusted root in `FILE`"},
	}
}

func (p *program) manifestSign(c *cli.Context) error {
	if err := checkSign(c); err != nil {
		return err
	}
	statement, err := p.readInput(c.Args().First(), seal.MaxBundle)
	if err != nil {
		return err
	}
	if _, err := seal.ReadStatement(statement, seal.ManifestType); err != nil { // before anybody is asked for anything
		return p.unsigned(c.Args().First(), err)
	}
	return p.sign(c, statement, seal.ManifestType)
}

// checkSign holds the command line of a signature: manifest sign FILE ...
func checkSign(c *cli.Context) error {
	command := strings.TrimPrefix(c.Command.HelpName, "sallyport ") // "manifest sign"
	example := "sallyport " + command + " FILE --key KEY.pem -o FILE.sigstore.json"
	switch {
	case c.NArg() != 1:
		return usage(example, "%s needs one file", command)
	case c.String("output") == "":
		return usage(example, "%s needs -o FILE", command)
	case (c.String("key") != "") == c.Bool("keyless"):
		return usage("sallyport "+command+" FILE --key KEY.pem, or --keyless", "%s needs either --key or --keyless", command)
	case c.IsSet("identity-token") && !c.Bool("keyless"):
		return usage("add --keyless, or leave --identity-token out", "--identity-token is for --keyless")
	}
	return nil
}

// sign signs a statement as the flags say and writes the bundle.
func (p *program) sign(c *cli.Context, statement []byte, predicateType string) error {
	var with seal.Signer
	var err error
	if with.Services, err = p.services(c); err != nil {
		return err
	}
	if path := c.String("trusted-root"); path != "" {
		if with.Root, err = p.trustedRoot(path); err != nil {
			return err
		}
	}
	if path := c.String("key"); path != "" {
		if with.Key, err = p.privateKey(path); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(c.Context, serviceTimeout)
	defer cancel()
	if c.Bool("keyless") {
		if with.Token, err = p.identityToken(ctx, c.String("identity-token")); err != nil {
			return err
		}
	}
	bundle, err := seal.Sign(ctx, statement, predicateType, with)
	if err != nil {
		if c.Context.Err() != nil {
			return c.Context.Err()
		}
		return usage("nothing was written; --help lists what can be signed with", "%s cannot be signed: %s", c.Args().First(), err)
	}
	return p.writeOutput(c.String("output"), bundle)
}

// unsigned is the error for a file that is no manifest.
func (p *program) unsigned(name string, err error) error {
	var refused *seal.Refusal
	hint := "sallyport manifest generate TARGET -o FILE writes a manifest"
	if errors.As(err, &refused) && refused.Hint != "" {
		hint = refused.Hint
	}
	return usage(hint, "%s is no manifest to sign: %s", name, err)
}

// services are the ones that flags name. The public instance is meant only
// when nothing is named: a private signature must not end in a public log
// because one flag was forgotten.
func (p *program) services(c *cli.Context) (seal.Services, error) {
	named := c.IsSet("fulcio-url") || c.IsSet("rekor-url") || c.IsSet("tsa-url")
	var s seal.Services
	switch path := c.String("signing-config"); {
	case path != "" && named:
		return s, usage("leave out --signing-config or the URLs", "--signing-config already names the services")
	case path != "":
		content, err := p.readInput(path, seal.MaxBundle)
		if err != nil {
			return s, err
		}
		if s, err = seal.LoadServices(content, time.Now()); err != nil {
			return s, usage("cosign signing-config create writes one", "%s: %s", path, err)
		}
		if !c.Bool("keyless") {
			s.CA = ""
		}
		return s, nil
	case named:
		s.CA, s.TimestampAuthorities = c.String("fulcio-url"), c.StringSlice("tsa-url")
		if url := c.String("rekor-url"); url != "" {
			s.Logs = []seal.Log{{URL: url, Version: uint32(c.Uint("rekor-version"))}}
		}
		if c.Bool("keyless") && s.CA == "" {
			return s, usage("add --fulcio-url URL, or leave all URLs out for the public instance", "--keyless with services of your own needs --fulcio-url")
		}
		return s, nil
	case c.Bool("keyless"):
		fmt.Fprintln(p.stderr, "sallyport: signing with the public Sigstore instance: its log will show your identity and the digests to everybody")
		return seal.PublicGood(), nil
	}
	return s, nil
}

func (p *program) privateKey(path string) (crypto.Signer, error) {
	content, err := p.readInput(path, seal.MaxBundle)
	if err != nil {
		return nil, err
	}
	password := p.env("SALLYPORT_KEY_PASSWORD")
	if password == "" {
		password = p.env("COSIGN_PASSWORD")
	}
	key, err := seal.LoadKey(content, password)
	if errors.Is(err, seal.ErrPassword) {
		return nil, usage("put its password in the environment variable SALLYPORT_KEY_PASSWORD", "%s: %s", path, err)
	}
	if err != nil {
		return nil, usage("openssl genpkey -algorithm ed25519 -out KEY.pem makes one", "%s: %s", path, err)
	}
	return key, nil
}

func (p *program) trustedRoot(path string) (*seal.Root, error) {
	content, err := p.readInput(path, seal.MaxBundle)
	if err != nil {
		return nil, err
	}
	root, err := seal.LoadRoot(content)
	if err != nil {
		return nil, usage("cosign trusted-root create writes one", "%s: %s", path, err)
	}
	return root, nil
}

// identityToken takes the token from where there is one: the flag, then the
// environment, then the workflow's runner.
func (p *program) identityToken(ctx context.Context, path string) (string, error) {
	const hint = "--identity-token FILE, SIGSTORE_ID_TOKEN, or in GitHub Actions: permissions: id-token: write"
	token := p.env("SIGSTORE_ID_TOKEN")
	if path != "" {
		content, err := p.readInput(path, 1<<20)
		if err != nil {
			return "", err
		}
		token = string(content)
	}
	if token = strings.TrimSpace(token); token != "" {
		if err := seal.CheckToken(token); err != nil {
			return "", usage(hint, "%s", err)
		}
		return token, nil
	}
	address, bearer := p.env("ACTIONS_ID_TOKEN_REQUEST_URL"), p.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return "", usage(hint, "--keyless finds no identity token")
	}
	token, err := seal.WorkflowToken(ctx, address, bearer)
	if err != nil {
		return "", usage(hint, "no identity token: %s", err)
	}
	return token, nil
}

func manifestVerifyCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check the signature of a manifest, offline",
		ArgsUsage: "FILE",
		Description: `Believed is a public key (--key), or who is named by --identity and --issuer under a trusted root; --identity is a
regular expression for the whole identity. What the trusted root offers (logs, timestamps) is required. Exit codes:
0 verified; 1 refused, with the reason; 2 usage or a file that cannot be read.
With --image in place of FILE the manifests attached to the image, or in it, are tried (manifest fetch says where images are); of those that verify the one with the
highest serial counts, and it has to name the image's digest unless --capture or --subject say what it is about.`,
		Flags: append(policyFlags(),
			&cli.StringSliceFlag{Name: "subject", Usage: "it must be about `SUBJECT`: sha256:HEX or a purl; repeatable, all must be there"},
			&cli.StringFlag{Name: "capture", Usage: "it must be about the surface captured in `FILE`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the verified statement to `FILE`; - is stdout"},
			&cli.StringFlag{Name: "format", Usage: "what stdout gets: text or json", Value: "text"},
			&cli.StringFlag{Name: "image", Usage: "take the manifest of the image `REF` (asks its registry), oci-layout:DIR or docker-archive:FILE"},
			plainHTTPFlag,
		),
		Action: func(c *cli.Context) error { return p.manifestVerify(c) },
	}
}

// policyFlags say whom to believe.
func policyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "key", Usage: "the public key in `FILE` must have signed"},
		&cli.StringFlag{Name: "trusted-root", Usage: "the Sigstore trusted root in `FILE` must lead to the signature"},
		&cli.StringFlag{Name: "identity", Usage: "who must have signed: a `REGEXP` that matches the whole identity"},
		&cli.StringFlag{Name: "issuer", Usage: "who vouches for the identity: the `URL` of the OpenID Connect issuer"},
		&cli.Uint64Flag{Name: "min-serial", Usage: "refuse a serial below `N`, that of the last one accepted"},
		&cli.BoolFlag{Name: "insecure-ignore-tlog", Usage: "accept a signature that no transparency log holds, although the trusted root lists one"},
		&cli.BoolFlag{Name: "insecure-ignore-sct", Usage: "accept a certificate that was never logged, although the trusted root lists a certificate log"},
	}
}

// verifier is the policy that the flags say; their names begin with prefix.
func (p *program) verifier(c *cli.Context, prefix, example string) (*seal.Verifier, error) {
	policy := seal.Policy{
		Identity: c.String(prefix + "identity"), Issuer: c.String(prefix + "issuer"),
		InsecureIgnoreLog: c.Bool("insecure-ignore-tlog"), InsecureIgnoreSCT: c.Bool("insecure-ignore-sct"),
	}
	if path := c.String(prefix + "key"); path != "" {
		content, err := p.readInput(path, seal.MaxBundle)
		if err != nil {
			return nil, err
		}
		if policy.Key, err = seal.LoadPublicKey(content); err != nil {
			return nil, usage(example, "%s: %s", path, err)
		}
	}
	if path := c.String(prefix + "trusted-root"); path != "" {
		var err error
		if policy.Root, err = p.trustedRoot(path); err != nil {
			return nil, err
		}
	}
	verifier, err := seal.NewVerifier(policy)
	if err != nil {
		return nil, usage(example, "%s", err)
	}
	for _, f := range []struct{ flag, missing string }{{"insecure-ignore-tlog", "transparency log"}, {"insecure-ignore-sct", "certificate log"}} {
		if c.Bool(f.flag) {
			fmt.Fprintf(p.stderr, "sallyport: --%s: no %s is asked for\n", f.flag, f.missing)
		}
	}
	return verifier, nil
}

var plainHTTPFlag = &cli.BoolFlag{Name: "plain-http", Usage: "talk to a registry on another machine without TLS"}

func (p *program) manifestVerify(c *cli.Context) error {
	const example = "sallyport manifest verify FILE --key PUB.pem, or --trusted-root FILE --identity REGEXP --issuer URL"
	image := c.String("image")
	if c.NArg() > 1 || (c.NArg() == 1) == (image != "") {
		return usage(example, "manifest verify needs one file, or --image")
	}
	if format := c.String("format"); format != "text" && format != "json" {
		return usage("use one of: text, json", "unknown format %q", format)
	}
	verifier, err := p.verifier(c, "", example)
	if err != nil {
		return err
	}
	want := seal.Expect{Subjects: c.StringSlice("subject"), MinSerial: c.Uint64("min-serial"), Now: time.Now()}
	if path := c.String("capture"); path != "" {
		digest, err := p.surfaceDigest(path)
		if err != nil {
			return err
		}
		want.Subjects = append(want.Subjects, "sha256:"+digest)
	}
	name, candidates := image, [][]byte(nil)
	if image != "" {
		subject, attached, err := p.fetch(c, image)
		if err != nil {
			return err
		}
		if len(want.Subjects) == 0 {
			if subject == "" {
				return usage("say what it must be about: --subject or --capture", "%s does not know the image's digest", image)
			}
			want.Subjects = []string{subject}
		}
		if subject != "" && !strings.Contains(image, "@") {
			name = image + "@" + subject // the tag may be moved tomorrow
		}
		for _, a := range attached {
			candidates = append(candidates, a.Bundle)
		}
		if len(candidates) == 0 {
			return refused(image, &seal.Refusal{Reason: seal.Malformed, Detail: "no manifest is attached to it", Hint: "sallyport manifest attach BUNDLE --image " + quoteArg(image)})
		}
	} else {
		name = c.Args().First()
		content, err := p.readInput(name, seal.MaxBundle+1)
		if err != nil {
			return err
		}
		candidates = [][]byte{content}
	}
	result, err := best(verifier, candidates, want)
	if err != nil {
		return refused(name, err)
	}
	if path := c.String("output"); path != "" {
		if err := p.writeOutput(path, result.Statement.Bytes); err != nil || path == "-" {
			return err
		}
	}
	return p.sayVerified(name, c.String("format"), result)
}

// signerFlags say whom a scan believes when a manifest is signed.
var signerFlags = []cli.Flag{
	&cli.StringFlag{Name: "manifest-key", Usage: "signed manifests must be signed by the public key in `FILE`"},
	&cli.StringFlag{Name: "manifest-trusted-root", Usage: "or lead to the Sigstore trusted root in `FILE`"},
	&cli.StringFlag{Name: "manifest-identity", Usage: "by whom: a `REGEXP` that matches the whole identity"},
	&cli.StringFlag{Name: "manifest-issuer", Usage: "as vouched for by the OpenID Connect issuer `URL`"},
}

// verifyManifests settles the status of the signed manifests of a scan, when
// somebody has said whom to believe.
func (p *program) verifyManifests(c *cli.Context, manifests []*analyzers.Manifest, now time.Time) error {
	if !slices.ContainsFunc(signerFlags, func(f cli.Flag) bool { return c.IsSet(f.Names()[0]) }) {
		return nil
	}
	verifier, err := p.verifier(c, "manifest-", "sallyport scan --manifest-key PUB.pem, or --manifest-trusted-root FILE --manifest-identity REGEXP --manifest-issuer URL")
	if err != nil {
		return err
	}
	for _, m := range manifests {
		if !m.Bundle {
			continue
		}
		switch r, err := verifier.Verify(m.Source.Bytes, seal.Expect{Now: now}); {
		case err != nil:
			m.Status, m.Reason = analyzers.ManifestInvalid, strings.TrimSuffix(err.Error(), ".")
		case r.KeyID != "":
			m.Status, m.Signer = analyzers.ManifestVerified, r.KeyID
		default:
			m.Status, m.Signer = analyzers.ManifestVerified, r.Identity+" "+r.Issuer
		}
	}
	return nil
}

// best is the newest of those that verify; without one, the error of the last
// that failed, and rather one that got as far as its statement.
func best(v *seal.Verifier, candidates [][]byte, want seal.Expect) (*seal.Result, error) {
	var result *seal.Result
	var failed error
	for _, b := range candidates {
		r, err := v.Verify(b, want)
		switch {
		case err != nil && (failed == nil || !signedByAnother(err)):
			failed = err
		case err == nil && (result == nil || r.Statement.Serial > result.Statement.Serial):
			result = r
		}
	}
	if result != nil {
		return result, nil
	}
	return nil, failed
}

func signedByAnother(err error) bool {
	var r *seal.Refusal
	return errors.As(err, &r) && slices.Contains([]seal.Reason{seal.Malformed, seal.Payload, seal.Predicate, seal.Signature, seal.SignerKind, seal.Identity, seal.Issuer}, r.Reason)
}

// refused is exit 1: the bundle was read and is not believed.
func refused(name string, err error) error {
	f := &failure{code: exitFindings, problem: fmt.Sprintf("%s is refused: %s", name, err)}
	var r *seal.Refusal
	if errors.As(err, &r) {
		f.hint = r.Hint
	}
	return f
}

// verified is what --format json prints.
type verified struct {
	Verified bool             `json:"verified"`
	Serial   uint64           `json:"serial"`
	Issued   string           `json:"issued"`
	Expires  string           `json:"expires"`
	Subjects []verifiedTarget `json:"subjects"`
	KeyID    string           `json:"keyId"`
	Identity string           `json:"identity"`
	Issuer   string           `json:"issuer"`
	SignedAt string           `json:"signedAt"`
	Checked  []string         `json:"checked"`
}

type verifiedTarget struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

func (p *program) sayVerified(name, format string, r *seal.Result) error {
	s := r.Statement
	if format == "json" {
		out := verified{true, s.Serial, stamp(s.Issued), stamp(s.Expires), []verifiedTarget{}, r.KeyID, oneLine(r.Identity), oneLine(r.Issuer), stamp(r.Time), r.Checked}
		for _, subject := range s.Subjects {
			out.Subjects = append(out.Subjects, verifiedTarget{oneLine(subject.Name), subject.Digest})
		}
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	fmt.Fprintf(p.stdout, "%s is verified by %s\n", oneLine(name), strings.Join(r.Checked, ", "))
	if r.KeyID != "" {
		fmt.Fprintf(p.stdout, "  key      %s\n", r.KeyID)
	} else {
		fmt.Fprintf(p.stdout, "  signer   %s\n  issuer   %s\n", oneLine(r.Identity), oneLine(r.Issuer))
	}
	if r.Time.IsZero() {
		fmt.Fprintln(p.stdout, "  signed   nobody attests when")
	} else {
		fmt.Fprintf(p.stdout, "  signed   %s\n", stamp(r.Time))
	}
	expires := "never"
	if !s.Expires.IsZero() {
		expires = stamp(s.Expires)
	}
	fmt.Fprintf(p.stdout, "  serial   %d, issued %s, expires %s\n", s.Serial, stamp(s.Issued), expires)
	for _, subject := range s.Subjects {
		digest := subject.Digest["sha256"]
		if digest != "" {
			digest = " sha256:" + digest
		}
		fmt.Fprintf(p.stdout, "  about    %s%s\n", oneLine(subject.Name), digest)
	}
	return nil
}

func manifestAttachCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "attach",
		Usage:     "put a signed manifest beside a container image",
		ArgsUsage: "BUNDLE",
		Description: `The bundle becomes an OCI 1.1 referrer of the image, or is listed under the fallback tag where the registry does not
know referrers. Logins are those of docker and podman; their credential helpers are started.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "image", Usage: "the image `REF`: registry/repository:tag or @sha256:HEX"},
			plainHTTPFlag,
		},
		Action: func(c *cli.Context) error {
			image := c.String("image")
			if c.NArg() != 1 || image == "" {
				return usage("sallyport manifest attach BUNDLE --image REF", "manifest attach needs one bundle and --image")
			}
			bundle, err := p.readInput(c.Args().First(), seal.MaxBundle+1)
			if err != nil {
				return err
			}
			statement, err := seal.Read(bundle, seal.ManifestType)
			if err != nil {
				return refused(c.Args().First(), err)
			}
			ctx, cancel := context.WithTimeout(c.Context, serviceTimeout)
			defer cancel()
			subject, attached, err := imageRegistry(c).Attach(ctx, bundle, seal.ManifestType, image)
			if err != nil {
				return registryFailure(c, "attached to", image, err)
			}
			if !statement.About(subject) {
				fmt.Fprintf(p.stderr, "sallyport: the manifest does not name the image's digest %s; verify --image will want --capture or --subject\n", subject)
			}
			_, err = fmt.Fprintf(p.stdout, "attached %s to %s\n", attached, subject)
			return err
		},
	}
}

func imageRegistry(c *cli.Context) seal.Registry {
	return seal.Registry{Keychain: authn.DefaultKeychain, PlainHTTP: c.Bool("plain-http")}
}

func registryFailure(c *cli.Context, what, image string, err error) error {
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	hint := "is the reference right, and are you logged in (docker login)?"
	switch {
	case errors.Is(err, seal.ErrPlainHTTP):
		hint = "--plain-http allows it, where nobody else can listen"
	case errors.Is(err, seal.ErrNoImage):
		hint = "push the image first"
	}
	return usage(hint, "nothing was %s %s: %s", what, image, err)
}

// surfaceDigest is the digest of a captured surface, the subject of its
// manifest.
func (p *program) surfaceDigest(path string) (string, error) {
	const hint = "a capture is the JSON of tools/list, or what sallyport inspect writes"
	content, err := p.readInput(path, seal.MaxBundle)
	if err != nil {
		return "", err
	}
	surface, err := capturedSurface(path, content)
	if err != nil {
		return "", usage(hint, "%s: %s", path, err)
	}
	digest, err := manifest.SurfaceDigest(surface)
	if err != nil {
		return "", usage(hint, "%s: %s", path, err)
	}
	if digest == "" {
		return "", usage(hint, "%s: nothing captured is in it", path)
	}
	return digest, nil
}

// capturedSurface is the surface in a capture of one server.
func capturedSurface(path string, content []byte) (*analyzers.Surface, error) {
	var found analyzers.Catalog
	err := capture.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: path, Bytes: content}}, &found)
	if err != nil {
		return nil, err
	}
	if n := len(found.Servers); n != 1 {
		return nil, fmt.Errorf("it holds the surfaces of %d servers, and one is needed", n)
	}
	return &found.Servers[0].Surface, nil
}

// readInput reads a whole file, or standard input for "-", up to a limit.
func (p *program) readInput(path string, limit int64) ([]byte, error) {
	in := p.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, usage("name a file that can be read", "cannot read %q: %v", path, reasonOf(err))
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.IsDir() {
			return nil, usage("name a file", "%q is a directory", path)
		}
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, usage("name a file that can be read", "cannot read %q: %v", path, reasonOf(err))
	}
	return content, nil
}

func reasonOf(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (p *program) writeOutput(path string, content []byte) error {
	write := func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}
	if path == "-" {
		return write(p.stdout)
	}
	return writeFile(path, write)
}
