package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Version is the version of Kubernetes that test/cluster's go.mod names. The API
// server reports it.
const Version = "v1.37.2"

// programs are the names by which the one binary knows what to be.
var programs = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"}

// progressInterval is how often a running build reports.
const progressInterval = 15 * time.Second

// Root is the repository's folder, found from the working directory upward.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "cluster", "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("not in a checkout of isolate: no folder above has test/cluster/go.mod")
}

// Binaries returns the folder with the programs, and builds them first if they
// are not there or of another version. Progress goes to the writer: the first
// build takes minutes. Two builds at once wait for each other.
func Binaries(ctx context.Context, progress io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "test", "cluster")
	sum, err := fingerprint(source)
	if err != nil {
		return "", err
	}
	builds := filepath.Join(root, ".build")
	dir := filepath.Join(builds, "kube-"+sum)
	if err := os.MkdirAll(builds, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(filepath.Join(builds, "kube.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := build(ctx, source, dir, progress); err != nil {
		return "", fmt.Errorf("building the control plane: %w", err)
	}
	return dir, removeOthers(builds, dir)
}

// fingerprint tells versions of the binary apart: its sources, the modules it is
// made of, and the compiler.
func fingerprint(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return "", err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH, Version)
	for _, file := range append(files, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum")) {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, filepath.Base(file), len(data))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

func build(ctx context.Context, source, dir string, progress io.Writer) error {
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	const component = "k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(Version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	ldflags := fmt.Sprintf("-s -w -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s", component, Version, major, minor)
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-ldflags", ldflags, "-o", filepath.Join(unfinished, "cluster"), ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	if err := runWithProgress(cmd, progress); err != nil {
		return err
	}
	for _, program := range programs {
		if err := os.Symlink("cluster", filepath.Join(unfinished, program)); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, dir)
}

// runWithProgress runs a go build -v, which names each package it compiles.
func runWithProgress(cmd *exec.Cmd, progress io.Writer) error {
	start := time.Now()
	report := func(state string, packages int64) {
		fmt.Fprintf(progress, "%s %s and kubectl %s: %s, %d packages compiled\n", state,
			strings.Join(programs[:4], ", "), Version, time.Since(start).Round(time.Second), packages)
	}
	fmt.Fprintf(progress, "building %s %s and KWOK, once; minutes with an empty build cache\n", strings.Join(programs[:5], ", "), Version)
	var output countingLines
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			report("still building", output.lines.Load())
		case err := <-done:
			if err != nil {
				return fmt.Errorf("%w\n%s", err, output.tail())
			}
			report("built", output.lines.Load())
			return nil
		}
	}
}

// countingLines counts what is written and keeps it for an error.
type countingLines struct {
	lines atomic.Int64
	buf   bytes.Buffer
}

func (c *countingLines) Write(p []byte) (int, error) {
	c.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	return c.buf.Write(p)
}

func (c *countingLines) tail() string { return lastLines(c.buf.String(), 20) }

func removeOthers(builds, keep string) error {
	others, err := filepath.Glob(filepath.Join(builds, "kube-*"))
	if err != nil {
		return err
	}
	for _, other := range others {
		if other != keep {
			if err := os.RemoveAll(other); err != nil {
				return err
			}
		}
	}
	return nil
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
