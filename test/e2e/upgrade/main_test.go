package upgrade

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/suite"
)

// release is one release of isolate: the folder with its programs, and its manifests.
type release struct{ programs, manifests string }

var (
	// root is the repository's root.
	root string

	// binaries is the folder with the control plane's programs.
	binaries string

	before, this release
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if root, err = controlplane.Root(); err != nil {
			return err
		}
		if binaries, err = s.Binaries(); err != nil {
			return err
		}
		this.manifests = filepath.Join(root, "manifests", "overlays", "default")
		if this.programs, err = s.Programs(); err != nil {
			return err
		}
		before, err = unpack(filepath.Join(s.Dir, "before"))
		return err
	})
}

// unpack unpacks and builds the release before.
func unpack(dir string) (release, error) {
	r := release{programs: filepath.Join(dir, "bin"), manifests: filepath.Join(dir, "manifests", "overlays", "default")}
	if err := os.MkdirAll(r.programs, 0o750); err != nil {
		return r, err
	}
	fmt.Fprintln(os.Stderr, "building the release before")
	for _, command := range [][]string{
		{"tar", "--extract", "--gzip", "--file", filepath.Join(root, "test", "e2e", "upgrade", "testdata", "first-release.tar.gz")},
		{"go", "build", "-trimpath", "-buildvcs=false", "-o", "bin", "./cmd/webhook", "./cmd/sweeper"},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return r, fmt.Errorf("%v: %w\n%s", command, err, out)
		}
	}
	return r, nil
}
