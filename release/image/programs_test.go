package main

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the checkout's folder, seen from this package.
const root = "../.."

// version is what the tests stamp on the programs.
const version = "v1.2.3-test"

// Two copies in different folders: nothing of where and when an image was built is in it,
// so anyone can build it again and compare.
func TestSameSourcesBuildSameStaticPrograms(t *testing.T) {
	one, other := buildPrograms(t, sourceCopy(t)), buildPrograms(t, sourceCopy(t))
	for _, program := range programs {
		path := filepath.Join(one, program)
		first, err := os.ReadFile(path)
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(other, program))
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, second), "%s differs from build to build", program)
		requireStatic(t, path)
		out, err := exec.CommandContext(t.Context(), path, "--version").Output()
		require.NoError(t, err)
		require.Equal(t, version+"\n", string(out))
	}
}

func TestDockerfileBuildsWithTheGoOfTheModule(t *testing.T) {
	_, rest, found := strings.Cut(readFile(t, "go.mod"), "\ngo ")
	require.True(t, found)
	wanted, _, _ := strings.Cut(rest, "\n")
	require.Contains(t, instructions(t), "ARG BUILD_IMAGE=docker.io/library/golang:"+wanted[:strings.LastIndex(wanted, ".")])
}

// buildPrograms runs the Dockerfile's command in a copy of the sources, and returns the
// folder that stands for the build stage's /out.
func buildPrograms(t *testing.T, sources string) string {
	t.Helper()
	require.Contains(t, instructions(t), "RUN release/programs.sh /out")
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "release/programs.sh", out)
	cmd.Dir = sources
	cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH, "VERSION="+version)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	return out
}

// instructions returns the Dockerfile's instructions, each in one line.
func instructions(t *testing.T) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(strings.ReplaceAll(readFile(t, "Dockerfile"), "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

// sourceCopy copies what the programs are built from.
func sourceCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ignored := strings.Fields(readFile(t, ".dockerignore"))
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (strings.HasPrefix(name, ".") || slices.Contains(ignored, name)):
			return fs.SkipDir
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), data, info.Mode())
	}))
	return dir
}

func requireStatic(t *testing.T, path string) {
	t.Helper()
	program, err := elf.Open(path)
	require.NoError(t, err)
	defer program.Close()
	for _, segment := range program.Progs {
		require.NotEqual(t, elf.PT_INTERP, segment.Type, "%s needs a dynamic linker, which the image doesn't have", path)
	}
	libraries, err := program.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(data)
}
