package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func (r *release) chartArchive() string { return "isolate-" + r.number() + ".tgz" }

// charts returns where the chart is pushed to: beside the image.
func (r *release) charts() string {
	return path.Join(r.image.RegistryStr(), path.Dir(r.image.RepositoryStr()), "charts")
}

// buildChart packages the chart, with the image by its digest, into a folder.
func (r *release) buildChart(ctx context.Context, digest, output string) error {
	dir, err := os.MkdirTemp("", "isolate-chart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	chart := filepath.Join(dir, "isolate")
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(r.root, "charts", "isolate"))); err != nil {
		return err
	}
	if err := r.nameImage(filepath.Join(chart, "values.yaml"), digest); err != nil {
		return err
	}
	// The archive has the files' times.
	if err := filepath.WalkDir(chart, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, time.Unix(0, 0), time.Unix(0, 0))
	}); err != nil {
		return err
	}
	if output, err = filepath.Abs(output); err != nil {
		return err
	}
	return r.helm(ctx, "package", chart, "--version="+r.number(), "--app-version="+r.version, "--destination="+output)
}

// nameImage makes the image of the release the default in a file of values.
func (r *release) nameImage(values, digest string) error {
	data, err := os.ReadFile(values)
	if err != nil {
		return err
	}
	text := string(data)
	for old, replacement := range map[string]string{
		"  registry: isolate.example.io\n": "  registry: " + r.image.RegistryStr() + "\n",
		"  repository: isolate\n":          "  repository: " + r.image.RepositoryStr() + "\n",
		"  digest: \"\"\n":                 "  digest: " + digest + "\n",
	} {
		if strings.Count(text, old) != 1 {
			return fmt.Errorf("charts/isolate/values.yaml must have this line once: %q", old)
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	return os.WriteFile(values, []byte(text), 0o644)
}

// helm runs the Helm that the tests use.
func (r *release) helm(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "."}, args...)...)
	cmd.Dir = filepath.Join(r.root, "test", "cmd", "helm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// pushChart pushes the chart beside the image.
func (r *release) pushChart(ctx context.Context) error {
	archive, err := filepath.Abs(filepath.Join(r.output, r.chartArchive()))
	if err != nil {
		return err
	}
	args := []string{"push", archive, "oci://" + r.charts()}
	var options []name.Option
	if r.insecure {
		args, options = append(args, "--plain-http"), append(options, name.Insecure)
	}
	if err := r.helm(ctx, args...); err != nil {
		return err
	}
	pushed, err := name.NewTag(r.charts()+"/isolate:"+r.number(), options...)
	if err != nil {
		return err
	}
	found, err := remote.Head(pushed, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return fmt.Errorf("reading %s back: %w", pushed, err)
	}
	fmt.Printf("%s@%s\n", pushed, found.Digest)
	return nil
}

// verifyChart packages the chart again and compares.
func (r *release) verifyChart(ctx context.Context, dir string) error {
	_, digest, err := r.openImages(filepath.Join(dir, "all"))
	if err != nil {
		return err
	}
	if err := r.buildChart(ctx, digest.String(), dir); err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(dir, r.chartArchive()))
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(r.output, r.chartArchive()))
	if err != nil {
		return err
	}
	if string(got) != string(want) {
		return errDiffers(r.chartArchive(), "the chart of this commit with the release's image")
	}
	return nil
}
