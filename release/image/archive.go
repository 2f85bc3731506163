package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// reference returns the annotations by which containerd, and so kind, names an image
// that it imports.
func reference(name, tag string) layout.Option {
	return layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          name + ":" + tag,
		"org.opencontainers.image.ref.name": tag,
	})
}

// index returns the index of the images, by architecture in the given order.
func index(architectures []string, images map[string]v1.Image) v1.ImageIndex {
	all := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range architectures {
		all = mutate.AppendManifests(all, mutate.IndexAddendum{
			Add:        images[architecture],
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	return all
}

// writeArchive writes the OCI image layout that add fills to a tar file.
func writeArchive(path string, add func(layout.Path) error) error {
	dir, err := os.MkdirTemp("", "isolate-layout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing the image layout: %w", err)
	}
	if err := add(l); err != nil {
		return fmt.Errorf("writing the image layout: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := writeTar(file, os.DirFS(dir)); err != nil {
		_ = file.Close()
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return file.Close()
}

// writeTar writes the files in the order of their names.
func writeTar(out io.Writer, files fs.FS) error {
	w := tar.NewWriter(out)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return addFile(w, name, regular|0o644, data)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// writeDockerManifest adds manifest.json, the list of images that docker load reads. Its
// paths are those of the layout's blobs, as docker save itself writes them since 25.0.
func writeDockerManifest(l layout.Path, image v1.Image, name, tag string) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	entry := tarball.Descriptor{Config: blobPath(manifest.Config.Digest), RepoTags: []string{name + ":" + tag}}
	for _, layer := range manifest.Layers {
		entry.Layers = append(entry.Layers, blobPath(layer.Digest))
	}
	data, err := json.Marshal([]tarball.Descriptor{entry})
	if err != nil {
		return err
	}
	return l.WriteFile("manifest.json", data, 0o644)
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }
