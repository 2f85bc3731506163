// Command alertmanager builds Alertmanager and amtool into the folder that it is given.
// The files of Alertmanager's web interface are built by Node.js and are not part of its
// module, so it can only be compiled in a copy that has others in their place. The API,
// which receives alerts and serves amtool, is complete.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const upstream = "github.com/prometheus/alertmanager"

// pages are the files of the web interface that Alertmanager embeds.
var pages = []string{"ui/app/dist/elm/index.html.gz", "ui/app/dist/mantine/index.html.gz"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: alertmanager FOLDER")
		os.Exit(2)
	}
	if err := build(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "building Alertmanager:", err)
		os.Exit(1)
	}
}

func build(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	download, err := exec.Command("go", "mod", "download", "-json", upstream).Output()
	if err != nil {
		return fmt.Errorf("downloading its sources: %w: %s", err, download) // It has the error.
	}
	var sources struct{ Dir string }
	if err := json.Unmarshal(download, &sources); err != nil {
		return fmt.Errorf("finding its sources: %w", err)
	}
	dir, err := os.MkdirTemp("", "alertmanager-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(sources.Dir)); err != nil {
		return fmt.Errorf("copying its sources: %w", err)
	}
	for _, page := range pages {
		path := filepath.Join(dir, page)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command("go", "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out+"/", "./cmd/alertmanager", "./cmd/amtool")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	return cmd.Run()
}
