package seal

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func named(p string) bool { return strings.HasSuffix(p, ".manifest.json") }

// tarLayer is a layer of files; "" is a whiteout's content.
func tarLayer(t *testing.T, files ...string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// inLayers is an image of three layers: two files with a manifest's name stay.
func inLayers(t *testing.T) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image,
		tarLayer(t, "app/server.manifest.json", "first", "app/gone.manifest.json", "gone", "opt/a.manifest.json", "a", "opt/b.json", "b"),
		tarLayer(t, "app/server.manifest.json", "second", "app/.wh.gone.manifest.json", "", "opt/.wh..wh..opq", "", "opt/c.manifest.json", "c"))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// written is a layout with an image under a tag, another image, and a bundle
// attached to the first.
func written(t *testing.T, bundle []byte) (dir, digest string) {
	t.Helper()
	dir = t.TempDir()
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	img := inLayers(t)
	if err := p.AppendImage(img, layout.WithAnnotations(map[string]string{refName: "registry.example/acme/server:v1"})); err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AppendImage(other, layout.WithAnnotations(map[string]string{refName: "v2"})); err != nil {
		t.Fatal(err)
	}
	hash, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{bundle, []byte("an sbom")} {
		media := bundleType
		if content[0] == 'a' {
			media = types.OCILayer
		}
		referrer, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(content, media))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.AppendImage(mutate.Subject(referrer, v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: hash, Size: 1}).(v1.Image)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, hash.String()
}

func TestLayout(t *testing.T) {
	key := newKey(t)
	bundle, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	dir, digest := written(t, bundle)
	packed := pack(t, dir)
	for from, fsys := range map[string]fs.FS{"directory": os.DirFS(dir), "archive": packed} {
		for _, image := range []string{"v1", "registry.example/acme/server:v1", digest} {
			subject, found, err := Layout{fsys, image, named}.Fetch()
			if err != nil || subject != digest {
				t.Fatalf("%s, %s: %s, %v", from, image, subject, err)
			}
			if len(found) != 3 || !bytes.Equal(found[0].Bundle, bundle) || found[1].Digest != "app/server.manifest.json" || string(found[1].Bundle) != "second" || found[2].Digest != "opt/c.manifest.json" {
				t.Errorf("%s: %d found: %q", from, len(found), found)
			}
		}
		if _, found, err := (Layout{fsys, "v2", named}).Fetch(); err != nil || len(found) != 0 {
			t.Errorf("%s: the other image: %v, %v", from, found, err)
		}
		for _, image := range []string{"", "v3"} {
			if _, _, err := (Layout{fsys, image, named}).Fetch(); err == nil {
				t.Errorf("%s: %q is found", from, image)
			}
		}
	}
	// A byte of a blob is another one.
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(blobs) < 6 {
		t.Fatal(blobs, err)
	}
	refusals := 0
	for _, name := range blobs {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(content)
		changed[len(changed)/2] ^= 1
		if err := os.WriteFile(name, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, found, err := (Layout{os.DirFS(dir), "v1", named}).Fetch(); err != nil {
			refusals++
		} else if len(found) != 3 || string(found[1].Bundle) != "second" {
			t.Errorf("%s: what was changed is believed: %q", name, found)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if refusals < 7 { // four manifests of images, two layers, the bundle
		t.Errorf("%d refusals of %d changed blobs", refusals, len(blobs))
	}
}

// TestSaved is docker save's older form: its digest is not known.
func TestSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	tag, err := name.NewTag("registry.example/acme/server:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(file, tag, inLayers(t)); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Archive(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{"", "v1", "registry.example/acme/server:v1"} {
		subject, found, err := Layout{files, image, named}.Fetch()
		if err != nil || subject != "" || len(found) != 2 || string(found[0].Bundle) != "second" {
			t.Errorf("%q: %q %q %v", image, subject, found, err)
		}
	}
	if _, _, err := (Layout{files, "v2", named}).Fetch(); err == nil {
		t.Error("another tag is found")
	}
	if _, _, err := (Layout{fstest.MapFS{}, "", named}).Fetch(); err == nil {
		t.Error("an empty directory is an image")
	}
}

// pack is a directory as a tar file.
func pack(t *testing.T, dir string) fs.FS {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := Archive(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// FuzzArchive: whatever is in the file, it is read or refused.
func FuzzArchive(f *testing.F) {
	dir := f.TempDir()
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		f.Fatal(err)
	}
	if err := p.AppendImage(empty.Image); err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("manifest.json"))
	f.Fuzz(func(t *testing.T, content []byte) {
		files, err := Archive(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		_, found, err := Layout{files, "", named}.Fetch()
		for _, a := range found {
			if err != nil || !named(a.Digest) && path.Dir(a.Digest) != "." {
				t.Fatalf("%q %v", a, err)
			}
		}
	})
}
