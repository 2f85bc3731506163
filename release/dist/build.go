package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// referenceFile has the image's name, tag and digest in one line.
const referenceFile = "image-reference.txt"

// build writes the folder of the release.
func (r *release) build(ctx context.Context) error {
	if err := r.tagged(ctx); err != nil {
		return err
	}
	if _, err := r.notes(); err != nil {
		return err
	}
	for _, overlay := range installations { // Before minutes of compiling.
		if _, err := r.installation(overlay, ""); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(r.output); err != nil {
		return err
	}
	if err := os.MkdirAll(r.output, 0o755); err != nil {
		return err
	}
	if err := r.buildImage(ctx); err != nil {
		return err
	}
	if err := r.buildPlugin(ctx); err != nil {
		return err
	}
	texts, err := r.texts(ctx)
	if err != nil {
		return err
	}
	_, digest, _ := strings.Cut(strings.TrimSpace(texts[referenceFile]), "@")
	if err := r.buildChart(ctx, digest, r.output); err != nil {
		return err
	}
	for file, text := range texts {
		if err := r.write(file, text); err != nil {
			return err
		}
	}
	if err := r.writeSums(); err != nil {
		return err
	}
	fmt.Printf("%s has %d files of %s\n%s", r.output, len(r.files())+1, r.version, texts[referenceFile])
	return nil
}

// texts returns every file that follows from the archives and the commit.
func (r *release) texts(ctx context.Context) (map[string]string, error) {
	dir, err := os.MkdirTemp("", "isolate-release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	_, digest, err := r.openImages(filepath.Join(dir, "all"))
	if err != nil {
		return nil, err
	}
	pinned := r.pinned(digest.String())
	texts := map[string]string{referenceFile: pinned + "\n"}
	if texts[notesFile], err = r.releaseNotes(pinned); err != nil {
		return nil, err
	}
	for file, overlay := range installations {
		if texts[file], err = r.installation(overlay, digest.String()); err != nil {
			return nil, err
		}
	}
	return texts, r.addSBOMs(ctx, texts, dir)
}

func (r *release) addSBOMs(ctx context.Context, texts map[string]string, dir string) error {
	committed, err := r.git(ctx, nil, nil, "show", "--no-patch", "--format=%cI", "HEAD")
	if err != nil {
		return err
	}
	created, err := time.Parse(time.RFC3339, committed)
	if err != nil {
		return err
	}
	add := func(artifact string, programs map[string]*buildinfo.BuildInfo, err error) error {
		if err != nil {
			return err
		}
		text, err := r.sbom(artifact, created, programs)
		texts[sbomFile(artifact)] = string(text)
		return err
	}
	for _, architecture := range r.architectures {
		image, err := r.openImage(architecture, filepath.Join(dir, architecture))
		if err != nil {
			return err
		}
		programs, err := programsOf(image)
		if err := add(imageArchive(architecture), programs, err); err != nil {
			return err
		}
	}
	for _, platform := range r.platforms {
		programs, err := r.pluginPrograms(platform)
		if err := add(pluginArchive(platform), programs, err); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) write(file, text string) error {
	return os.WriteFile(filepath.Join(r.output, file), []byte(text), 0o644)
}
