package main

import (
	"compress/gzip"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// krewManifest is the plugin's manifest for krew.
const krewManifest = "isolate-pod.yaml"

func pluginArchive(platform string) string {
	return "kubectl-isolate-" + strings.ReplaceAll(platform, "/", "-") + ".tar.gz"
}

// buildPlugin has the plugin's script write the archives and krew's manifest.
func (r *release) buildPlugin(ctx context.Context) error {
	output, err := filepath.Abs(r.output)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "cmd/kubectl-isolate/archives.sh", r.version, output)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "PLATFORMS="+strings.Join(r.platforms, " "), "DOWNLOADS="+r.downloads)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the plugin: %w", err)
	}
	return nil
}

// pluginPrograms reads what the program in a plugin's archive was built from.
func (r *release) pluginPrograms(platform string) (map[string]*buildinfo.BuildInfo, error) {
	file, err := os.Open(filepath.Join(r.output, pluginArchive(platform)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return programsIn(unzipped)
}
