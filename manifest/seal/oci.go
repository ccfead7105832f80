package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	emptyConfig     = "application/vnd.oci.empty.v1+json"
	contentNote     = "dev.sigstore.bundle.content"
	predicateNote   = "dev.sigstore.bundle.predicateType"
	createdNote     = "org.opencontainers.image.created"
	bundleType      = types.MediaType(MediaType)
	maxReferrers    = 256           // looked through
	maxAttached     = 32            // read
	maxHeld         = 2 * MaxBundle // bytes of them
	maxRegistryBody = MaxBundle + 1<<20
)

// Registry is how images are reached.
type Registry struct {
	Keychain  authn.Keychain // nil: nobody is logged in
	PlainHTTP bool           // http to other machines, too; to this one it is always allowed
	Transport http.RoundTripper
}

// ErrNoImage is in the chain of an error when the registry does not have the
// image.
var ErrNoImage = errors.New("the registry has no such image")

// Options are those with which the registry client reaches nothing but what r
// allows, and reads bounded answers.
func (r Registry) Options(ctx context.Context) []remote.Option {
	base := r.Transport
	if base == nil {
		base = remote.DefaultTransport
	}
	options := []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(&guarded{base: base, limit: maxRegistryBody, plain: r.PlainHTTP}),
		remote.WithUserAgent("sallyport"),
	}
	if r.Keychain != nil {
		options = append(options, remote.WithAuthFromKeychain(r.Keychain))
	}
	return options
}

// Reference reads registry/repository:tag or @sha256:HEX.
func (r Registry) Reference(s string) (name.Reference, error) {
	if r.PlainHTTP {
		return name.ParseReference(s, name.Insecure)
	}
	return name.ParseReference(s)
}

// resolve finds the image's digest. An image index counts as one image.
func (r Registry) resolve(ctx context.Context, image string) (name.Digest, *v1.Descriptor, error) {
	ref, err := r.Reference(image)
	if err != nil {
		return name.Digest{}, nil, fmt.Errorf("no reference to an image: %w", err)
	}
	desc, err := remote.Head(ref, r.Options(ctx)...)
	if err != nil {
		var answer *transport.Error
		if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
			err = fmt.Errorf("%w: %w", ErrNoImage, err)
		}
		return name.Digest{}, nil, err
	}
	return ref.Context().Digest(desc.Digest.String()), desc, nil
}

// Attach puts a bundle beside an image, as an OCI 1.1 referrer; a registry
// without the referrers API gets the fallback tag. It returns the digests of
// the image and of what was attached. The form is cosign's, so cosign finds
// it. Attaching the same bundle again changes nothing. It checks no signature.
func (r Registry) Attach(ctx context.Context, bundle []byte, predicateType, image string) (subject, attached string, err error) {
	statement, err := Read(bundle, predicateType)
	if err != nil {
		return "", "", err
	}
	digest, desc, err := r.resolve(ctx, image)
	if err != nil {
		return "", "", err
	}
	config := static.NewLayer([]byte("{}"), emptyConfig)
	content := static.NewLayer(bundle, bundleType)
	manifest := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  MediaType,
		Subject:       &v1.Descriptor{MediaType: desc.MediaType, Size: desc.Size, Digest: desc.Digest},
		Annotations: map[string]string{ // nothing of the moment: the digest stays the same
			contentNote:   "dsse-envelope",
			predicateNote: predicateType,
			createdNote:   statement.Issued.Format(time.RFC3339),
		},
	}
	for _, layer := range []v1.Layer{config, content} {
		if err := remote.WriteLayer(digest.Context(), layer, r.Options(ctx)...); err != nil {
			return "", "", err
		}
	}
	described, err := partial.Descriptor(config)
	if err != nil {
		return "", "", err
	}
	manifest.Config = *described
	if described, err = partial.Descriptor(content); err != nil {
		return "", "", err
	}
	manifest.Layers = []v1.Descriptor{*described}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return "", "", err
	}
	hash, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return "", "", err
	}
	return digest.DigestStr(), hash.String(), remote.Put(digest.Context().Digest(hash.String()), rawManifest(raw), r.Options(ctx)...)
}

// rawManifest is a manifest as it is pushed.
type rawManifest []byte

func (m rawManifest) RawManifest() ([]byte, error)        { return m, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// Attached is a bundle found beside an image. Nothing of it is checked yet.
type Attached struct {
	Digest string // of the artifact's manifest
	Bundle []byte
}

// Fetch finds the bundles beside an image, and the image's digest. Other
// artifacts are left out; whoever can write to the repository can attach one,
// so each is a candidate for Verify and no more.
func (r Registry) Fetch(ctx context.Context, image string) (subject string, found []Attached, err error) {
	digest, _, err := r.resolve(ctx, image)
	if err != nil {
		return "", nil, err
	}
	index, err := remote.Referrers(digest, r.Options(ctx)...)
	if err != nil {
		return "", nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return "", nil, err
	}
	if n := len(list.Manifests); n > maxReferrers {
		return "", nil, refuse(TooLarge, "remove the superfluous ones from the registry", "%d artifacts are attached to the image, more than %d", n, maxReferrers)
	}
	held := 0
	for _, desc := range list.Manifests {
		// Registries differ in what they put in artifactType, so the
		// manifest itself decides.
		if desc.MediaType != types.OCIManifestSchema1 {
			continue
		}
		bundle, err := r.bundle(ctx, digest.Context().Digest(desc.Digest.String()))
		if err != nil {
			return "", nil, err
		}
		if bundle == nil {
			continue
		}
		if held += len(bundle); len(found) == maxAttached || held > maxHeld {
			return "", nil, refuse(TooLarge, "remove the superfluous ones from the registry", "more than %d bundles or %d bytes are attached to the image", maxAttached, maxHeld)
		}
		found = append(found, Attached{desc.Digest.String(), bundle})
	}
	return digest.DigestStr(), found, nil
}

// bundle reads the bundle in an artifact, nil when it is something else.
func (r Registry) bundle(ctx context.Context, artifact name.Digest) ([]byte, error) {
	img, err := remote.Image(artifact, r.Options(ctx)...)
	if err != nil {
		return nil, err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != bundleType || manifest.Layers[0].Size > MaxBundle {
		return nil, nil
	}
	layer, err := img.LayerByDigest(manifest.Layers[0].Digest)
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed() // the registry's bytes, compared with the digest
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(io.LimitReader(content, MaxBundle+1)) // a longer one fails to verify
}
