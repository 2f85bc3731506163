package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var platforms = flag.String("platforms", "linux/amd64", "the platforms whose archives are tested")

// The validator of krew checks the manifest, too: archives.sh runs it for a release.
func TestArchivesHoldTheProgramAndTheLicense(t *testing.T) {
	folder := archive(t, "v1.2.3")
	manifest, err := os.ReadFile(filepath.Join(folder, "isolate-pod.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(manifest), "\n  version: v1.2.3\n")
	license, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	require.NoError(t, err)
	again := archive(t, "v1.2.3")
	for platform := range strings.FieldsSeq(*platforms) {
		system, architecture, _ := strings.Cut(platform, "/")
		name := "kubectl-isolate-" + system + "-" + architecture + ".tar.gz"
		packed, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		sum := sha256.Sum256(packed)
		require.Contains(t, string(manifest), "/v1.2.3/"+name+"\n    sha256: \""+hex.EncodeToString(sum[:])+"\"\n")
		repeated, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(packed, repeated), "%s is the same when it is built again", name)

		files := unpack(t, packed)
		program := "kubectl-isolate"
		if system == "windows" {
			program += ".exe"
		}
		require.Len(t, files, 2)
		require.Equal(t, string(license), string(files["LICENSE"]))
		require.NotEmpty(t, files[program])
		if platform == runtime.GOOS+"/"+runtime.GOARCH {
			path := filepath.Join(t.TempDir(), program)
			require.NoError(t, os.WriteFile(path, files[program], 0o700))
			out, err := exec.CommandContext(t.Context(), path, "--version").Output()
			require.NoError(t, err)
			require.Equal(t, "kubectl isolate version v1.2.3\n", string(out))
		}
	}
}

// archive builds the archives of a version, and returns their folder.
func archive(t *testing.T, version string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "./archives.sh", version, folder)
	cmd.Env = append(os.Environ(), "PLATFORMS="+*platforms)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return folder
}

// unpack returns an archive's files, which only their owner may write.
func unpack(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	files := map[string][]byte{}
	for reader := tar.NewReader(compressed); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		require.Zero(t, header.Mode&0o022, header.Name)
		files[header.Name], err = io.ReadAll(reader)
		require.NoError(t, err)
	}
}
