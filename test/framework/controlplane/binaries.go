package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Versions of Kubernetes, as the go.mod of their modules names them and their API
// servers report them: the newest, and the oldest that isolate supports.
const (
	Version       = "v1.37.2"
	OldestVersion = "v1.30.14"
)

// distribution is one binary, built from a module of its own.
type distribution struct {
	// module is the folder below test that has its sources.
	module  string
	version string
	// builds begins the names of the folders of builds.
	builds string
	// programs are the names by which the binary knows what to be.
	programs []string
	// description says what is in it to whoever waits for it.
	description string
}

var (
	newest = distribution{
		module: "kubernetes", version: Version, builds: "kube",
		programs:    []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok", "cert-manager"},
		description: "etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl " + Version + ", KWOK and cert-manager",
	}
	oldest = distribution{
		module: "kubernetes130", version: OldestVersion, builds: "kube130",
		programs:    []string{"kube-apiserver"},
		description: "kube-apiserver " + OldestVersion,
	}
)

// Root is the repository's folder, found from the working directory upward.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "cmd", "kubernetes", "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("not in a checkout of isolate: no folder above has test/cmd/kubernetes/go.mod")
}

// Binaries returns the folder with the programs, and builds them first if they
// are not there or of another version. Progress goes to the writer: the first
// build takes minutes. Two builds at once wait for each other.
func Binaries(ctx context.Context, progress io.Writer) (string, error) {
	return newest.binaries(ctx, progress)
}

// OldestBinaries returns a folder with the oldest API server, and the etcd and the
// kubectl of the newest.
func OldestBinaries(ctx context.Context, progress io.Writer) (string, error) {
	others, err := newest.binaries(ctx, progress)
	if err != nil {
		return "", err
	}
	dir, err := oldest.binaries(ctx, progress)
	if err != nil {
		return "", err
	}
	for _, program := range []string{"etcd", "kubectl"} {
		if err := link(filepath.Join(others, program), filepath.Join(dir, program)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// link has the path link to the target, whatever it linked to before. No moment
// passes without it, as another test may be using it.
func link(target, path string) error {
	if current, err := os.Readlink(path); err == nil && current == target {
		return nil
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

func (d distribution) binaries(ctx context.Context, progress io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "test", "cmd", d.module)
	sum, err := d.fingerprint(source)
	if err != nil {
		return "", err
	}
	builds := filepath.Join(root, ".build")
	dir := filepath.Join(builds, d.builds+"-"+sum)
	if err := os.MkdirAll(builds, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(filepath.Join(builds, d.builds+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := d.build(ctx, source, dir, progress); err != nil {
		return "", fmt.Errorf("building %s: %w", d.description, err)
	}
	return dir, d.removeOthers(builds, dir)
}

// Lock takes a file lock, waiting for it, and returns what gives it back. The
// kernel gives it back too when the process ends.
func Lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
