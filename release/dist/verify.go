package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// verify checks that the folder is complete, unchanged and what the tag gives. It compiles
// nothing: to check the programs themselves, build the release again and compare.
func (r *release) verify(ctx context.Context) error {
	if err := r.tagged(ctx); err != nil {
		return err
	}
	if err := r.verifySums(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "isolate-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, check := range []func() error{
		func() error { return r.verifyImages(ctx, dir) },
		r.verifyPlugin,
		func() error { return r.verifyTexts(ctx) },
		func() error { return r.verifyChart(ctx, filepath.Join(dir, "chart")) }, // Last, as it may compile Helm.
	} {
		if err := check(); err != nil {
			return err
		}
	}
	fmt.Printf("%s is the release %s: all %d files are checked\n", r.output, r.version, len(r.files())+1)
	return nil
}

// verifyImages checks that the archives are valid, agree, and have programs of this commit.
func (r *release) verifyImages(ctx context.Context, dir string) error {
	revision, err := r.git(ctx, nil, nil, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	images, _, err := r.openImages(filepath.Join(dir, "all"))
	if err != nil {
		return err
	}
	if err := validate.Index(images); err != nil {
		return fmt.Errorf("checking %s: %w", indexArchive, err)
	}
	manifest, err := images.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != len(r.architectures) {
		return fmt.Errorf("%s has %d images, and must have one for each of %v", indexArchive, len(manifest.Manifests), r.architectures)
	}
	for i, architecture := range r.architectures {
		image, err := r.openImage(architecture, filepath.Join(dir, architecture))
		if err == nil {
			err = r.verifyImage(image, architecture, revision, manifest.Manifests[i])
		}
		if err != nil {
			return fmt.Errorf("checking %s: %w", imageArchive(architecture), err)
		}
	}
	return nil
}

func (r *release) verifyImage(image v1.Image, architecture, revision string, listed v1.Descriptor) error {
	if err := validate.Image(image); err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if digest != listed.Digest {
		return fmt.Errorf("its digest is %s, but %s has %s for %s", digest, indexArchive, listed.Digest, listed.Platform)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	for label, want := range map[string]string{"version": r.version, "revision": revision, "source": r.source} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			return fmt.Errorf("its label %s is %q, and must be %q", label, got, want)
		}
	}
	programs, err := programsOf(image)
	if err != nil {
		return err
	}
	return verifyPrograms(programs, "linux/"+architecture, "alert-receiver", "sweeper", "webhook")
}

func (r *release) verifyPlugin() error {
	manifest, err := os.ReadFile(filepath.Join(r.output, krewManifest))
	if err != nil {
		return err
	}
	for _, platform := range r.platforms {
		archive := pluginArchive(platform)
		sum, err := r.sum(archive)
		if err != nil {
			return err
		}
		listed := fmt.Sprintf("uri: %s/%s/%s\n    sha256: %q\n", r.downloads, r.version, archive, sum)
		if !strings.Contains(string(manifest), listed) {
			return fmt.Errorf("%s does not have the address and the sum of %s:\n    %s", krewManifest, archive, listed)
		}
		program := "kubectl-isolate"
		if strings.HasPrefix(platform, "windows/") {
			program += ".exe"
		}
		programs, err := r.pluginPrograms(platform)
		if err == nil {
			err = verifyPrograms(programs, platform, program)
		}
		if err != nil {
			return fmt.Errorf("checking %s: %w", archive, err)
		}
	}
	return nil
}

// verifyPrograms checks that exactly these programs are there, for a platform.
func verifyPrograms(found map[string]*buildinfo.BuildInfo, platform string, want ...string) error {
	if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, want) {
		return fmt.Errorf("it has the programs %v, and must have %v", names, want)
	}
	for name, info := range found {
		settings := map[string]string{}
		for _, setting := range info.Settings {
			settings[setting.Key] = setting.Value
		}
		if built := settings["GOOS"] + "/" + settings["GOARCH"]; built != platform {
			return fmt.Errorf("%s is for %s, and must be for %s", name, built, platform)
		}
	}
	return nil
}

// verifyTexts writes every text anew, in memory, and compares.
func (r *release) verifyTexts(ctx context.Context) error {
	texts, err := r.texts(ctx)
	if err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		data, err := os.ReadFile(filepath.Join(r.output, file))
		if err != nil {
			return err
		}
		if string(data) != texts[file] {
			return errDiffers(file, "what the archives and the commit give")
		}
	}
	return nil
}
