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

// Kubernetes versions, as go.mod names them and the API servers report them: the
// newest, and the oldest that isolate supports.
const (
	Version       = "v1.37.2"
	OldestVersion = "v1.30.14"
)

// distribution is one binary that is built from its own module.
type distribution struct {
	// module is the folder in test/cmd with the sources.
	module string
	// version is the Kubernetes version that the binary reports, if it is Kubernetes.
	version string
	// prefix is the first part of the build folder's name; the fingerprint follows.
	prefix string
	// programs are the names of the symlinks: the binary runs the one it is called by.
	programs []string
	// builder says that the module's command builds the programs into the folder that it is
	// given.
	builder bool
	// description lists the contents, for the message about the build.
	description string
	// tools builds each program that the module's go.mod names as a tool, in place of
	// the module's own program.
	tools bool
	// tags are the build tags, separated by commas.
	tags string
	// cgo links with the C compiler.
	cgo bool
}

var (
	newest = distribution{
		module: "kubernetes", version: Version, prefix: "kube",
		programs:    []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"},
		description: "etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl " + Version + " and KWOK",
	}
	oldest = distribution{
		module: "kubernetes130", version: OldestVersion, prefix: "kube130",
		programs:    []string{"kube-apiserver"},
		description: "kube-apiserver " + OldestVersion,
	}
	certManager = distribution{
		module: "certmanager", prefix: "certmanager",
		programs:    []string{"cert-manager"},
		description: "cert-manager",
	}
	alertmanager = distribution{
		module: "alertmanager", prefix: "alertmanager", builder: true,
		description: "Alertmanager and amtool",
	}
	kyverno = distribution{
		module: "kyverno", prefix: "kyverno", tools: true,
		description: "Kyverno's admission controller and background controller",
	}
)

// Root returns the repository's root, which it looks for upward from the working
// directory.
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
	return "", errors.New("not in a checkout of isolate: no parent folder has test/cmd/kubernetes/go.mod")
}

// Binaries returns the folder with the control plane's programs. It builds them
// if they are missing or out of date and reports progress to the writer: the first
// build takes minutes. Concurrent builds wait for each other.
func Binaries(ctx context.Context, progress io.Writer) (string, error) {
	return newest.binaries(ctx, progress)
}

// OldestBinaries is like Binaries, with the oldest API server in place of the
// newest, and without controllers.
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
		// A relative link, so that .build can be moved or copied.
		if err := link(filepath.Join("..", filepath.Base(others), program), filepath.Join(dir, program)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// CertManager returns the path of a program that runs cert-manager's controllers.
// It builds the program like Binaries does.
func CertManager(ctx context.Context, progress io.Writer) (string, error) {
	dir, err := certManager.binaries(ctx, progress)
	return filepath.Join(dir, "cert-manager"), err
}

// Alertmanager returns the folder with the programs alertmanager and amtool. It builds them
// like Binaries does.
func Alertmanager(ctx context.Context, progress io.Writer) (string, error) {
	return alertmanager.binaries(ctx, progress)
}

// Kyverno returns the folder with Kyverno's programs, kyverno and background-controller. It
// builds them like Binaries does.
func Kyverno(ctx context.Context, progress io.Writer) (string, error) {
	return kyverno.binaries(ctx, progress)
}

// link makes path a symlink to the target. It replaces an existing link
// atomically, because another test may be using it.
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
	dir := filepath.Join(builds, d.prefix+"-"+sum)
	if err := os.MkdirAll(builds, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(filepath.Join(builds, d.prefix+".lock"))
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

// Lock waits for a file lock, takes it, and returns the function that releases it.
// The kernel also releases it when the process exits.
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
