package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

var architectures = flag.String("architectures", runtime.GOARCH,
	"the architectures to build for, separated by commas; each but this machine's takes minutes the first time")

const image = "registry.example.com/isolate:" + version

// archives builds the archives, and returns their folder.
func archives(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	o, err := parse([]string{"--root=" + root, "--image=" + image, "--revision=0123abc", "--output=" + dir, "--architectures=" + *architectures})
	require.NoError(t, err)
	require.NoError(t, o.run(t.Context()))
	return dir
}

// unpack returns the index of the image layout in an archive.
func unpack(t *testing.T, path string) v1.ImageIndex {
	t.Helper()
	dir := t.TempDir()
	archive, err := os.Open(path)
	require.NoError(t, err)
	defer archive.Close()
	r := tar.NewReader(archive)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if header.Typeflag == tar.TypeDir {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(header.Name)), 0o755))
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, header.Name), data, 0o644))
	}
	index, err := layout.ImageIndexFromPath(dir)
	require.NoError(t, err)
	return index
}

func TestImage(t *testing.T) {
	dir := archives(t)
	t.Run("the archives are the same twice", func(t *testing.T) { requireSame(t, dir, archives(t)) })
	t.Run("the index is valid and its images can run", func(t *testing.T) { requireRunnable(t, dir) })
	t.Run("docker load finds the image of one platform", func(t *testing.T) { requireDockerLoads(t, dir) })
	t.Run("the layer equals the Dockerfile's to the byte", func(t *testing.T) { requireLayerOfDockerfile(t, dir) })
}

func requireSame(t *testing.T, one, other string) {
	t.Helper()
	entries, err := os.ReadDir(one)
	require.NoError(t, err)
	require.Len(t, entries, strings.Count(*architectures, ",")+2, "one archive an architecture, and the index")
	for _, entry := range entries {
		first, err := os.ReadFile(filepath.Join(one, entry.Name()))
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(other, entry.Name()))
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, second), "%s differs from build to build", entry.Name())
	}
}

func requireRunnable(t *testing.T, dir string) {
	t.Helper()
	all := unpack(t, filepath.Join(dir, "isolate-image.tar"))
	require.NoError(t, validate.Index(all))
	manifest, err := all.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	require.Equal(t, image, manifest.Manifests[0].Annotations["io.containerd.image.name"])

	index, err := all.ImageIndex(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	images, err := index.IndexManifest()
	require.NoError(t, err)
	var platforms []string
	for _, descriptor := range images.Manifests {
		platforms = append(platforms, descriptor.Platform.String())
		built, err := index.Image(descriptor.Digest)
		require.NoError(t, err)
		config, err := built.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, v1.Config{User: "65532:65532", Entrypoint: []string{"/webhook"}, Labels: map[string]string{
			"org.opencontainers.image.title":       "isolate",
			"org.opencontainers.image.description": "Takes a misbehaving pod out of traffic and keeps it for investigation.",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.source":      "https://isolate.example.io",
			"org.opencontainers.image.revision":    "0123abc",
			"org.opencontainers.image.version":     version,
		}}, config.Config)
	}
	require.Equal(t, "linux/"+strings.ReplaceAll(*architectures, ",", " linux/"), strings.Join(platforms, " "))
}

// requireDockerLoads checks that the list that docker load reads names the same image.
func requireDockerLoads(t *testing.T, dir string) {
	t.Helper()
	tag, err := name.NewTag(image)
	require.NoError(t, err)
	path := filepath.Join(dir, "isolate-image-"+runtime.GOARCH+".tar")
	loaded, err := tarball.ImageFromPath(path, &tag)
	require.NoError(t, err)
	require.NoError(t, validate.Image(loaded))
	want := onlyImage(t, unpack(t, path))
	wantConfig, err := want.ConfigName()
	require.NoError(t, err)
	config, err := loaded.ConfigName()
	require.NoError(t, err)
	require.Equal(t, wantConfig, config)
}

// requireLayerOfDockerfile has a container engine build the Dockerfile's last stage from
// the same programs.
func requireLayerOfDockerfile(t *testing.T, dir string) {
	t.Helper()
	context := t.TempDir()
	require.NoError(t, os.Rename(buildPrograms(t, root), filepath.Join(context, "out")))
	_, last, found := strings.Cut(readFile(t, "Dockerfile"), "\nFROM scratch\n")
	require.True(t, found, "the last stage begins from scratch")
	dockerfile := "FROM scratch\n" + strings.ReplaceAll(last, "COPY --from=build /out/ /", "COPY out/ /")
	require.NoError(t, os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(dockerfile), 0o644))
	policy := filepath.Join(t.TempDir(), "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o644))
	storage, archive := t.TempDir(), filepath.Join(t.TempDir(), "built.tar")
	buildah(t, storage, "build", "--isolation=chroot", "--signature-policy="+policy, "--timestamp=0", "--tag=built", context)
	buildah(t, storage, "push", "--signature-policy="+policy, "built", "oci-archive:"+archive)

	require.Equal(t, layerOf(t, onlyImage(t, unpack(t, filepath.Join(dir, "isolate-image-"+runtime.GOARCH+".tar")))),
		layerOf(t, onlyImage(t, unpack(t, archive))))
}

// buildah runs the one builder that Debian packages and that needs no daemon.
func buildah(t *testing.T, storage string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "buildah", append([]string{
		"--storage-driver=vfs", "--root=" + filepath.Join(storage, "root"), "--runroot=" + filepath.Join(storage, "run"),
	}, args...)...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\nbuildah is one of the Debian packages that \"make packages\" installs", output)
}

func onlyImage(t *testing.T, index v1.ImageIndex) v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	only, err := index.Image(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	return only
}

// layerOf returns the digest of the uncompressed layer: engines differ in how they compress.
func layerOf(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	digest, err := layers[0].DiffID()
	require.NoError(t, err)
	return digest
}

func TestBadFlagsAreNamed(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--image=isolate"}, `--image is "isolate", and must be a name and a tag, such as registry.example.com/isolate:v1.2.3`},
		{[]string{"--image=" + image, "--architectures=s390x"}, `--architectures has "s390x", and each must be one of [amd64 arm64]`},
	} {
		_, err := parse(test.args)
		require.EqualError(t, err, test.want)
	}
}
