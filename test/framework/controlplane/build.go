package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// progressInterval is how often a running build reports.
const progressInterval = 15 * time.Second

// fingerprint returns a hash of everything that a build depends on: the sources,
// the versions of the modules, and the compiler.
func (d distribution) fingerprint(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return "", err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH, d.version)
	if d.tools {
		fmt.Fprintln(sum, d.tags, d.cgo)
	}
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

func (d distribution) build(ctx context.Context, source, dir string, progress io.Writer) error {
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	output, packages, cgo := filepath.Join(unfinished, d.module), ".", "CGO_ENABLED=0"
	if d.tools {
		output, packages = unfinished+string(filepath.Separator), "tool" // A folder, for all of them.
	}
	if d.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-tags", d.tags, "-ldflags", d.ldflags(), "-o", output, packages)
	if d.builder {
		cmd = exec.CommandContext(ctx, "go", "run", ".", unfinished)
	}
	cmd.Dir = source
	cmd.Env = append(os.Environ(), cgo, "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	if err := d.runWithProgress(cmd, progress); err != nil {
		return err
	}
	for _, program := range d.programs {
		if err := os.Symlink(d.module, filepath.Join(unfinished, program)); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, dir)
}

// ldflags set the version that the Kubernetes programs report, v0.0.0 otherwise.
func (d distribution) ldflags() string {
	const flags = "-s -w"
	if d.version == "" {
		return flags
	}
	const component = "k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(d.version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return fmt.Sprintf(flags+" -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s", component, d.version, major, minor)
}

// runWithProgress runs go build -v, which prints each package it compiles.
func (d distribution) runWithProgress(cmd *exec.Cmd, progress io.Writer) error {
	start := time.Now()
	report := func(state string, packages int64) {
		fmt.Fprintf(progress, "%s %s: %s, %d packages compiled\n", state, d.description, time.Since(start).Round(time.Second), packages)
	}
	fmt.Fprintf(progress, "building %s; this happens once and takes minutes with an empty build cache\n", d.description)
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

// countingLines counts lines and keeps them for an error message.
type countingLines struct {
	lines atomic.Int64
	buf   bytes.Buffer
}

func (c *countingLines) Write(p []byte) (int, error) {
	c.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	return c.buf.Write(p)
}

func (c *countingLines) tail() string { return lastLines(c.buf.String(), 20) }

// removeOthers removes the builds that this one replaces.
func (d distribution) removeOthers(builds, keep string) error {
	others, err := filepath.Glob(filepath.Join(builds, d.prefix+"-*"))
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
