package image

import (
	"bytes"
	"debug/elf"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/controlplane"
)

// version is what the build stamps on the programs.
const version = "v1.2.3-test"

var architectures = flag.String("architectures", runtime.GOARCH, "the architectures to build for, separated by commas; each but this machine's takes minutes the first time")

// Two copies in different folders: nothing of where and when an image was built is
// in it, so anyone can build it again and compare.
func TestBuildIsReproducibleAndStatic(t *testing.T) {
	for architecture := range strings.SplitSeq(*architectures, ",") {
		t.Run(architecture, func(t *testing.T) {
			one, other := build(t, architecture), build(t, architecture)
			require.Equal(t, []string{"sweeper", "webhook"}, names(t, one), "what the image has")
			for _, program := range names(t, one) {
				path := filepath.Join(one, program)
				first, err := os.ReadFile(path)
				require.NoError(t, err)
				second, err := os.ReadFile(filepath.Join(other, program))
				require.NoError(t, err)
				require.True(t, bytes.Equal(first, second), "%s differs from build to build", program)
				requireStatic(t, path)
				if "linux/"+architecture == runtime.GOOS+"/"+runtime.GOARCH {
					out, err := exec.CommandContext(t.Context(), path, "--version").Output()
					require.NoError(t, err)
					require.Equal(t, version+"\n", string(out))
				}
			}
		})
	}
}

func TestBuildImageMatchesGoMod(t *testing.T) {
	module := readFile(t, "go.mod")
	_, rest, found := strings.Cut(module, "\ngo ")
	require.True(t, found)
	wanted, _, _ := strings.Cut(rest, "\n")
	require.Contains(t, instructions(t), "ARG BUILD_IMAGE=docker.io/library/golang:"+wanted[:strings.LastIndex(wanted, ".")])
}

// build runs the Dockerfile's command for one architecture in a copy of the build
// context, and returns the folder that stands for the image's /out.
func build(t *testing.T, architecture string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(buildCommand(t), "/out/", out+"/"))
	cmd.Dir = contextCopy(t)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "TARGETOS=linux", "TARGETARCH="+architecture, "VERSION="+version)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	return out
}

func buildCommand(t *testing.T) string {
	t.Helper()
	for _, instruction := range instructions(t) {
		if command, ok := strings.CutPrefix(instruction, "RUN "); ok && strings.Contains(command, "go build") {
			return command
		}
	}
	require.Fail(t, "the Dockerfile has no RUN with go build")
	return ""
}

// instructions are the Dockerfile's, each in one line.
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

// contextCopy is a copy of what a builder is sent: all but what .dockerignore names.
func contextCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	patterns := strings.Fields(strings.SplitN(readFile(t, ".dockerignore"), "\n", 2)[1])
	root := root(t)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case ignored(name, patterns) && entry.IsDir():
			return fs.SkipDir
		case ignored(name, patterns):
			return nil
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}))
	return dir
}

// ignored knows patterns of whole names, at the top or, after **/, anywhere.
func ignored(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched := name
		if below, anywhere := strings.CutPrefix(pattern, "**/"); anywhere {
			pattern, matched = below, filepath.Base(name)
		}
		matches, err := filepath.Match(pattern, matched)
		return err == nil && matches
	})
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

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := controlplane.Root()
	require.NoError(t, err)
	return dir
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), name))
	require.NoError(t, err)
	return string(data)
}
