package seal

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Bounds of an image that is read from files.
const (
	maxLayoutJSON = 4 << 20 // an index or a manifest
	maxDescribed  = 1024    // indexes and manifests
	maxLayers     = 256
	maxUnpacked   = 8 << 30 // bytes of all layers
	maxEntries    = 1 << 20 // files in them
)

// Layout is an image in files: an OCI image layout (image-spec v1.1,
// image-layout.md), which may be what a "docker save" archive holds, or such an
// archive of the older form (manifest.json). Nothing but FS is read; every blob
// is compared with its digest.
type Layout struct {
	FS fs.FS
	// Image says which: a tag (org.opencontainers.image.ref.name) or a digest;
	// "" where there is only one.
	Image string
	// Named reports whether a file in the image may be a manifest.
	Named func(path string) bool
}

// Fetch finds the manifests of an image: the bundles that are attached to it,
// and the files in it, whose Digest is their path. The subject is the image's
// digest, "" where the archive does not know it. Each is a candidate for Verify
// and no more.
func (l Layout) Fetch() (subject string, found []Attached, err error) {
	r := &layoutReader{Layout: l, manifests: map[string]*v1.Manifest{}, indexes: map[string]*v1.IndexManifest{}}
	raw, err := r.file("index.json", maxLayoutJSON)
	if errors.Is(err, fs.ErrNotExist) {
		found, err = r.saved()
		return "", found, err
	}
	if err != nil {
		return "", nil, err
	}
	top, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return "", nil, fmt.Errorf("index.json is no image index: %w", err)
	}
	if err := r.walk(top.Manifests, 0); err != nil {
		return "", nil, err
	}
	subject, err = r.choose(top.Manifests)
	if err != nil {
		return "", nil, err
	}
	if found, err = r.attached(subject); err != nil {
		return "", nil, err
	}
	for _, m := range r.platforms(subject) {
		var layers []layer
		for _, d := range m.Layers {
			layers = append(layers, layer{blob(d.Digest), d.Digest, string(d.MediaType)})
		}
		inside, err := r.inside(layers)
		if err != nil {
			return "", nil, err
		}
		for _, a := range inside {
			if !slices.ContainsFunc(found, func(b Attached) bool { return bytes.Equal(a.Bundle, b.Bundle) }) {
				found = append(found, a)
			}
		}
	}
	return subject, found, nil
}

type layoutReader struct {
	Layout
	manifests map[string]*v1.Manifest // by digest
	indexes   map[string]*v1.IndexManifest
	unpacked  int64
	entries   int
}

func blob(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }

// file reads a whole file up to a limit.
func (r *layoutReader) file(name string, limit int64) ([]byte, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = refuse(TooLarge, "", "%s has more than %d bytes", shown(name), limit)
	}
	return content, err
}

// described reads a blob and compares it with its digest.
func (r *layoutReader) described(h v1.Hash, limit int64) ([]byte, error) {
	if h.Algorithm != "sha256" {
		return nil, refuse(Malformed, "", "blobs are named by %s, and only sha256 is read", shown(h.Algorithm))
	}
	content, err := r.file(blob(h), limit)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != h.Hex {
		return nil, refuse(Malformed, "fetch the image again", "the blob %s has another content", h)
	}
	return content, nil
}

// walk reads every index and manifest below descriptors.
func (r *layoutReader) walk(list []v1.Descriptor, depth int) error {
	for _, d := range list {
		key := d.Digest.String()
		if r.manifests[key] != nil || r.indexes[key] != nil || !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
			continue
		}
		if len(r.manifests)+len(r.indexes) == maxDescribed || depth > 8 {
			return refuse(TooLarge, "", "the layout describes more than %d images", maxDescribed)
		}
		raw, err := r.described(d.Digest, maxLayoutJSON)
		if errors.Is(err, fs.ErrNotExist) && depth > 0 {
			continue // of another platform, and not brought along
		}
		if err != nil {
			return err
		}
		if d.MediaType.IsIndex() {
			index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
			if err != nil {
				return refuse(Malformed, "", "%s is no image index", key).because(err)
			}
			r.indexes[key] = index
			if err := r.walk(index.Manifests, depth+1); err != nil {
				return err
			}
			continue
		}
		m, err := v1.ParseManifest(bytes.NewReader(raw))
		if err != nil {
			return refuse(Malformed, "", "%s is no image manifest", key).because(err)
		}
		r.manifests[key] = m
	}
	return nil
}

// refName is the annotation that tags an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// choose finds the digest of the image that is meant. Referrers are none, nor
// are the lists of them that stand for a registry's fallback tags.
func (r *layoutReader) choose(list []v1.Descriptor) (string, error) {
	var all, wanted []string
	for _, d := range list {
		key := d.Digest.String()
		if m := r.manifests[key]; m != nil && m.Subject != nil || m == nil && r.indexes[key] == nil || strings.HasPrefix(d.Annotations[refName], "sha256-") {
			continue
		}
		if !slices.Contains(all, key) {
			all = append(all, key)
		}
		tag := d.Annotations[refName]
		if _, short, ok := strings.Cut(tag[strings.LastIndexByte(tag, '/')+1:], ":"); ok && r.Image == short || r.Image == tag || r.Image == key {
			wanted = append(wanted, key)
		}
	}
	slices.Sort(wanted)
	switch wanted = slices.Compact(wanted); {
	case r.Image == "" && len(all) == 1:
		return all[0], nil
	case r.Image == "" && len(all) > 1:
		return "", refuse(Malformed, "name a tag or a digest behind it", "it holds %d images", len(all))
	case len(wanted) == 1:
		return wanted[0], nil
	}
	return "", fmt.Errorf("%w: %s", ErrNoImage, shown(r.Image))
}

// platforms are the image's own manifests: of an index, all that are there.
func (r *layoutReader) platforms(subject string) (out []*v1.Manifest) {
	if m := r.manifests[subject]; m != nil {
		return []*v1.Manifest{m}
	}
	if index := r.indexes[subject]; index != nil {
		for _, d := range index.Manifests {
			if m := r.manifests[d.Digest.String()]; m != nil && m.Subject == nil {
				out = append(out, m)
			}
		}
	}
	return out
}

// attached are the bundles whose subject is the image.
func (r *layoutReader) attached(subject string) (out []Attached, err error) {
	for key, m := range r.manifests {
		if m.Subject == nil || m.Subject.Digest.String() != subject || len(m.Layers) != 1 || m.Layers[0].MediaType != bundleType || m.Layers[0].Size > MaxBundle {
			continue
		}
		if len(out) == maxAttached {
			return nil, refuse(TooLarge, "", "more than %d bundles are attached to the image", maxAttached)
		}
		content, err := r.described(m.Layers[0].Digest, MaxBundle)
		if err != nil {
			return nil, err
		}
		out = append(out, Attached{key, content})
	}
	slices.SortFunc(out, func(a, b Attached) int { return strings.Compare(a.Digest, b.Digest) })
	return out, nil
}

// layer is one layer of an image; the digest is zero where nobody says it.
type layer struct {
	name   string
	digest v1.Hash
	media  string
}

// saved reads the layers of an archive of the older form.
func (r *layoutReader) saved() ([]Attached, error) {
	raw, err := r.file("manifest.json", maxLayoutJSON)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: neither index.json nor manifest.json is in it", ErrNoImage)
	}
	if err != nil {
		return nil, err
	}
	var images []struct {
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(raw, &images); err != nil {
		return nil, refuse(Malformed, "", "manifest.json is not what docker save writes").because(err)
	}
	images = slices.DeleteFunc(images, func(i struct{ RepoTags, Layers []string }) bool {
		return r.Image != "" && !slices.ContainsFunc(i.RepoTags, func(tag string) bool { return tag == r.Image || strings.HasSuffix(tag, ":"+r.Image) })
	})
	if len(images) != 1 {
		return nil, fmt.Errorf("%w, or not only one: %q", ErrNoImage, shown(r.Image))
	}
	var layers []layer
	for _, name := range images[0].Layers {
		if !fs.ValidPath(name) {
			return nil, refuse(Malformed, "", "a layer has the name %s", shown(name))
		}
		layers = append(layers, layer{name: name})
	}
	return r.inside(layers)
}

// inside finds the manifests among the files of an image: what the layers come
// to, one over the other.
func (r *layoutReader) inside(layers []layer) ([]Attached, error) {
	if r.Named == nil {
		return nil, nil
	}
	if len(layers) > maxLayers {
		return nil, refuse(TooLarge, "", "the image has %d layers, more than %d", len(layers), maxLayers)
	}
	files := map[string][]byte{}
	for _, l := range layers {
		if err := r.layer(l, files); err != nil {
			return nil, err
		}
	}
	var out []Attached
	for name, content := range files {
		out = append(out, Attached{name, content})
	}
	slices.SortFunc(out, func(a, b Attached) int { return strings.Compare(a.Digest, b.Digest) })
	return out, nil
}

// layer applies one layer to the manifests found so far.
func (r *layoutReader) layer(l layer, files map[string][]byte) error {
	f, err := r.FS.Open(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(Malformed, "fetch the whole image", "the layer %s is not there", shown(l.name))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	whole := io.TeeReader(f, sum)
	head := make([]byte, 4)
	n, err := io.ReadFull(whole, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	stream := io.MultiReader(bytes.NewReader(head[:n]), whole)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		if stream, err = gzip.NewReader(stream); err != nil {
			return refuse(Malformed, "", "the layer %s cannot be unpacked", shown(l.name)).because(err)
		}
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) || l.media == string(types.OCILayerZStd):
		return refuse(Malformed, "copy the image with gzip layers (skopeo copy --dest-compress-format gzip)", "the layer %s is packed with zstd, which is not read", shown(l.name))
	}
	before := r.unpacked
	if err := r.tar(io.TeeReader(stream, counting{&r.unpacked}), files); err != nil {
		var refusal *Refusal
		if errors.As(err, &refusal) {
			return refusal
		}
		return refuse(Malformed, "", "the layer %s cannot be unpacked", shown(l.name)).because(err)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(stream, maxUnpacked-before)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return err
	}
	if l.digest.Hex != "" && hex.EncodeToString(sum.Sum(nil)) != l.digest.Hex {
		return refuse(Malformed, "fetch the image again", "the layer %s has another content", l.digest)
	}
	return nil
}

// counting adds up what is written to it.
type counting struct{ n *int64 }

func (c counting) Write(p []byte) (int, error) {
	if *c.n += int64(len(p)); *c.n > maxUnpacked {
		return 0, refuse(TooLarge, "", "the layers unpack to more than %d bytes", int64(maxUnpacked))
	}
	return len(p), nil
}

func (r *layoutReader) tar(in io.Reader, files map[string][]byte) error {
	// What takes the place of a file, or takes it away (image-spec, layer.md).
	remove := func(name string) {
		for have := range files {
			if have == name || name == "." || strings.HasPrefix(have, name+"/") {
				delete(files, have)
			}
		}
	}
	old := map[string]bool{}
	for name := range files {
		old[name] = true
	}
	for archive := tar.NewReader(in); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.entries++; r.entries > maxEntries {
			return refuse(TooLarge, "", "the layers hold more than %d files", maxEntries)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "/"))
		dir, base := path.Split(name)
		if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
			if base == ".wh..wh..opq" { // only what lower layers brought
				for have := range files {
					if old[have] && (dir == "" || strings.HasPrefix(have, dir)) {
						delete(files, have)
					}
				}
			} else {
				remove(path.Join(dir, hidden))
			}
			continue
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		remove(name)
		if h.Typeflag != tar.TypeReg || !r.Named(name) || h.Size > MaxBundle {
			continue
		}
		if len(files) == maxAttached {
			return refuse(TooLarge, "", "more than %d files of the image have a manifest's name", maxAttached)
		}
		content, err := io.ReadAll(io.LimitReader(archive, MaxBundle))
		if err != nil {
			return err
		}
		files[name] = content
		delete(old, name)
	}
}

// Archive reads a tar file in place, as docker save writes one: only the
// entries' places are held. It has no directories.
func Archive(r io.ReaderAt, size int64) (fs.FS, error) {
	in := io.NewSectionReader(r, 0, size)
	a := archive{}
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, refuse(Malformed, "", "no tar archive").because(err)
		}
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeLink && h.Typeflag != tar.TypeSymlink {
			continue
		}
		if len(a) == maxLayers*maxDescribed {
			return nil, refuse(TooLarge, "", "the archive holds more than %d files", len(a))
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg { // docker save links layers that two images share
			target := path.Join(path.Dir(name), h.Linkname)
			if h.Typeflag == tar.TypeLink {
				target = path.Clean(h.Linkname)
			}
			if at, ok := a[target]; ok {
				a[name] = at
			}
			continue
		}
		at, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		a[name] = io.NewSectionReader(r, at, h.Size)
	}
}

type archive map[string]*io.SectionReader

func (a archive) Open(name string) (fs.File, error) {
	at, ok := a[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return archived{io.NewSectionReader(at, 0, at.Size())}, nil
}

// archived is an open entry of an archive.
type archived struct{ *io.SectionReader }

func (archived) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (archived) Close() error               { return nil }
