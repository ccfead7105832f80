// Package remote brings a registry to where it is used and changes to where
// they are decided: as an artifact of an OCI registry, as the API of an MCP
// registry, as a pull request on GitHub. It opens connections to what it is
// told and to nothing else; it reads no file, no environment and no clock.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/registry"
)

// ArtifactType is the type of a registry kept in an OCI registry, and the
// media type of its document: the artifact's first layer. A second layer, of
// seal.MediaType, is its signature.
const ArtifactType = "application/vnd.sallyport.registry.v1+yaml"

const (
	emptyConfig = "application/vnd.oci.empty.v1+json"
	titleNote   = "org.opencontainers.image.title"
	createdNote = "org.opencontainers.image.created"
	bundleName  = "sallyport.registry.sigstore.json"

	maxManifest = 64 << 10 // bytes of an artifact's manifest
	maxDocument = tree.MaxYAMLBytes
)

// Artifact is a registry as it was pulled. Nobody's signature is checked yet.
type Artifact struct {
	Digest   string // of its manifest, "sha256:HEX"
	Document []byte
	Bundle   []byte // nil: not signed
}

// Errors of Push and Pull, in the chain.
var (
	ErrNotFound    = errors.New("there is no such artifact")
	ErrNotRegistry = errors.New("this is no registry of Sallyport")
	ErrPinned      = errors.New("a digest cannot be pushed to; name a tag")
)

// Push writes a document and its bundle (nil for none) below a tag and returns
// the digest of what is there now. The same content has the same digest. It
// checks no signature, but the bundle has to be about the document.
func Push(ctx context.Context, at seal.Registry, to string, document, bundle []byte) (string, error) {
	ref, err := at.Reference(to)
	if err != nil {
		return "", fmt.Errorf("no reference: %w", err)
	}
	tag, ok := ref.(name.Tag)
	if !ok {
		return "", ErrPinned
	}
	if len(document) > maxDocument {
		return "", fmt.Errorf("the document has %d bytes, more than %d", len(document), maxDocument)
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	if bundle != nil {
		statement, err := seal.Read(bundle, seal.RegistryType)
		if err != nil {
			return "", err
		}
		if digest := seal.Digest(document); !statement.About(digest) {
			return "", &seal.Refusal{Reason: seal.Subject, Detail: "the bundle is about another document, not " + digest, Hint: "sallyport registry sign FILE signs this one"}
		}
		manifest.Annotations = map[string]string{createdNote: statement.Issued.Format(time.RFC3339)} // nothing of the moment
	}
	options := at.Options(ctx)
	write := func(content []byte, mediaType types.MediaType, title string) (v1.Descriptor, error) {
		layer := static.NewLayer(content, mediaType)
		if err := remote.WriteLayer(tag.Context(), layer, options...); err != nil {
			return v1.Descriptor{}, err
		}
		described, err := partial.Descriptor(layer)
		if err != nil {
			return v1.Descriptor{}, err
		}
		if title != "" {
			described.Annotations = map[string]string{titleNote: title}
		}
		return *described, nil
	}
	if manifest.Config, err = write([]byte("{}"), emptyConfig, ""); err != nil {
		return "", err
	}
	layer, err := write(document, ArtifactType, registry.DefaultFile)
	if err != nil {
		return "", err
	}
	manifest.Layers = append(manifest.Layers, layer)
	if bundle != nil {
		if layer, err = write(bundle, seal.MediaType, bundleName); err != nil {
			return "", err
		}
		manifest.Layers = append(manifest.Layers, layer)
	}
	manifest.ArtifactType = ArtifactType
	raw, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	return seal.Digest(raw), remote.Put(tag, rawManifest(raw), options...)
}

// rawManifest is a manifest as it is pushed.
type rawManifest []byte

func (m rawManifest) RawManifest() ([]byte, error)        { return m, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// Pull reads what Push wrote, by tag or by digest. Every byte is held against
// the digest that names it, and everything is bounded.
func Pull(ctx context.Context, at seal.Registry, from string) (*Artifact, error) {
	ref, err := at.Reference(from)
	if err != nil {
		return nil, fmt.Errorf("no reference: %w", err)
	}
	options := at.Options(ctx)
	found, err := remote.Get(ref, options...)
	if err != nil {
		var answer *transport.Error
		if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
			err = fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return nil, err
	}
	a := &Artifact{Digest: seal.Digest(found.Manifest)}
	if pinned, ok := ref.(name.Digest); ok && pinned.DigestStr() != a.Digest {
		return nil, fmt.Errorf("the registry answers %s with %s", pinned.DigestStr(), a.Digest)
	}
	layers, err := layersOf(found.Manifest)
	if err != nil {
		return nil, err
	}
	for i, into := range []*[]byte{&a.Document, &a.Bundle} {
		if i < len(layers) {
			if *into, err = blob(ref.Context(), layers[i], options); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// layersOf reads the document's and the bundle's descriptors from a manifest.
func layersOf(raw []byte) ([]v1.Descriptor, error) {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNotRegistry, fmt.Sprintf(format, args...))
	}
	if len(raw) > maxManifest {
		return nil, wrong("its manifest has %d bytes, more than %d", len(raw), maxManifest)
	}
	root, err := tree.Parse(&analyzers.Source{Bytes: raw}, tree.JSON) // bounds the nesting before the next parser
	if err != nil || !root.IsObject() {
		return nil, wrong("its manifest is no JSON object")
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, wrong("its manifest is none")
	}
	switch {
	case manifest.MediaType != types.OCIManifestSchema1:
		return nil, wrong("its media type is %q", analyzers.Untrusted(manifest.MediaType))
	case manifest.ArtifactType != ArtifactType:
		return nil, wrong("its artifactType is %q, not %q", analyzers.Untrusted(manifest.ArtifactType), ArtifactType)
	case len(manifest.Layers) < 1 || len(manifest.Layers) > 2:
		return nil, wrong("it has %d layers, and a document and a signature are two", len(manifest.Layers))
	}
	for i, want := range []struct {
		mediaType types.MediaType
		most      int64
	}{{ArtifactType, maxDocument}, {seal.MediaType, seal.MaxBundle}}[:len(manifest.Layers)] {
		switch layer := manifest.Layers[i]; {
		case layer.MediaType != want.mediaType:
			return nil, wrong("layer %d is %q, not %q", i, analyzers.Untrusted(layer.MediaType), want.mediaType)
		case layer.Size < 1 || layer.Size > want.most:
			return nil, wrong("layer %d has %d bytes; it may have %d", i, layer.Size, want.most)
		case layer.Digest.Algorithm != "sha256":
			return nil, wrong("layer %d is named by %q, not by sha256", i, analyzers.Untrusted(layer.Digest.Algorithm))
		}
	}
	return manifest.Layers, nil
}

// blob reads one layer from the artifact's own repository, whatever other
// addresses its descriptor names.
func blob(repository name.Repository, described v1.Descriptor, options []remote.Option) ([]byte, error) {
	layer, err := remote.Layer(repository.Digest(described.Digest.String()), options...)
	if err != nil {
		return nil, err
	}
	body, err := layer.Compressed() // the registry's bytes
	if err != nil {
		return nil, err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, described.Size+1))
	if err != nil {
		return nil, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	if size != described.Size || digest != described.Digest {
		return nil, fmt.Errorf("the registry serves something else (%d bytes, %s) than %s of %d bytes", size, digest, described.Digest, described.Size)
	}
	return content, nil
}
