package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is the numeric user and group of the Dockerfile's last stage. The kubelet checks
// runAsNonRoot against a number only.
const user = "65532:65532"

// programs are the image's files. Each Deployment names the one that it runs.
var programs = []string{"alert-receiver", "sweeper", "webhook"}

// source describes what an image is made from.
type source struct {
	// root is the checkout's folder.
	root string
	// version is what the programs print and the label says, such as v1.2.3.
	version string
	// revision is the commit, and url where the sources are.
	revision, url string
}

// labels are those of the OCI image specification's annotations.md.
func (s source) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "isolate",
		"org.opencontainers.image.description": "Takes a misbehaving pod out of traffic and keeps it for investigation.",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      s.url,
		"org.opencontainers.image.revision":    s.revision,
		"org.opencontainers.image.version":     s.version,
	}
}

// build returns the image for one architecture of Linux.
func (s source) build(ctx context.Context, architecture string) (v1.Image, error) {
	layer, err := s.layer(ctx, architecture)
	if err != nil {
		return nil, fmt.Errorf("building the programs for %s: %w", architecture, err)
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return nil, fmt.Errorf("adding the layer for %s: %w", architecture, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration for %s: %w", architecture, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{User: user, Entrypoint: []string{"/webhook"}, Labels: s.labels()}
	return mutate.ConfigFile(image, config)
}

// layer returns the programs, in the root folder, owned by root.
func (s source) layer(ctx context.Context, architecture string) (v1.Layer, error) {
	out, err := os.MkdirTemp("", "isolate-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	build := exec.CommandContext(ctx, "release/programs.sh", out)
	build.Dir = s.root
	build.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+architecture, "VERSION="+s.version)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, program := range programs {
		data, err := os.ReadFile(filepath.Join(out, program))
		if err != nil {
			return nil, err
		}
		if err := addFile(w, program, regular|0o755, data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// regular marks a regular file in a mode, as the container engines write it (S_IFREG). It
// means nothing beside the header's type, but without it the layer's digest differs from
// that of the Dockerfile's build.
const regular = 0o100000

// addFile adds a file of root's, with a time that never changes.
func addFile(w *tar.Writer, name string, mode int64, data []byte) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data)),
		ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}
