package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// indexArchive has the image for all architectures.
const indexArchive = "isolate-image.tar"

func imageArchive(architecture string) string { return "isolate-image-" + architecture + ".tar" }

// buildImage has release/image write the archives.
func (r *release) buildImage(ctx context.Context) error {
	revision, err := r.git(ctx, nil, nil, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	root, err := filepath.Abs(r.root)
	if err != nil {
		return err
	}
	output, err := filepath.Abs(r.output)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./image", "--root="+root, "--output="+output, "--image="+r.reference(),
		"--revision="+revision, "--source="+r.source, "--architectures="+strings.Join(r.architectures, ","))
	cmd.Dir = filepath.Join(r.root, "release")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the image: %w", err)
	}
	return nil
}

// openIndex unpacks an archive of the release into a folder, and returns the index of its
// image layout.
func (r *release) openIndex(archive, dir string) (v1.ImageIndex, error) {
	file, err := os.Open(filepath.Join(r.output, archive))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for entries := tar.NewReader(file); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return layout.ImageIndexFromPath(dir)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", archive, err)
		}
		if !filepath.IsLocal(header.Name) {
			return nil, fmt.Errorf("reading %s: it has a file outside the image layout: %q", archive, header.Name)
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", archive, err)
		}
		path := filepath.Join(dir, header.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600)); err != nil {
			return nil, err
		}
	}
}

// openImages returns the image for all architectures, and its digest.
func (r *release) openImages(dir string) (v1.ImageIndex, v1.Hash, error) {
	index, err := r.openIndex(indexArchive, dir)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, v1.Hash{}, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, v1.Hash{}, errNoIndex
	}
	digest := manifest.Manifests[0].Digest
	images, err := index.ImageIndex(digest)
	return images, digest, err
}

// openImage returns the image for one architecture.
func (r *release) openImage(architecture, dir string) (v1.Image, error) {
	index, err := r.openIndex(imageArchive(architecture), dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s has %d images, and must have one", imageArchive(architecture), len(manifest.Manifests))
	}
	return index.Image(manifest.Manifests[0].Digest)
}

// programsOf reads what the programs of an image were built from.
func programsOf(image v1.Image) (map[string]*buildinfo.BuildInfo, error) {
	content := mutate.Extract(image)
	defer content.Close()
	return programsIn(content)
}

// programsIn reads what the Go programs in a tar were built from.
func programsIn(archive io.Reader) (map[string]*buildinfo.BuildInfo, error) {
	found := map[string]*buildinfo.BuildInfo{}
	for entries := tar.NewReader(archive); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			return nil, err
		}
		if header.Mode&0o111 == 0 || header.Typeflag != tar.TypeReg {
			continue
		}
		if found[header.Name], err = buildinfo.Read(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("reading what %s was built from: %w", header.Name, err)
		}
	}
}
