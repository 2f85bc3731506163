package machine

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"isolate.example.io/test/framework/installation"
)

// shift is a file of package time that has shiftedNow.
//
//go:embed testdata/shift.go
var shift []byte

// clockFile is the file with how far a program's clock is ahead, in its current folder.
const clockFile = "clock"

// SetClock makes the clock of the programs that run in a folder differ from the real time by
// whole seconds. They are behind if ahead is negative.
func SetClock(dir string, ahead time.Duration) error {
	temporary := filepath.Join(dir, clockFile+".new")
	if err := os.WriteFile(temporary, []byte(strconv.Itoa(int(ahead/time.Second))), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, clockFile))
}

// Build builds isolate's programs, and returns their folder. It reports progress to the writer:
// the first build compiles the whole standard library.
func Build(ctx context.Context, progress io.Writer) (programs string, err error) {
	dir, err := os.MkdirTemp("", "isolate-clocks-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	overlay, err := writeOverlay(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("changing time.Now: %w", err)
	}
	fmt.Fprintln(progress, "for clocks that can be set:")
	return installation.BuildInto(ctx, progress, "clocks", "-overlay="+overlay)
}

var errNowChanged = errors.New("time.Now of this Go release does not call runtimeNow as expected: adapt this package")

// writeOverlay writes the changed files of package time to a folder, and returns the file for
// go build -overlay.
func writeOverlay(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	source := filepath.Join(string(bytes.TrimSpace(out)), "src", "time")
	whole, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		return "", err
	}
	before, after := []byte("sec, nsec, mono := runtimeNow()"), []byte("sec, nsec, mono := shiftedNow()")
	if bytes.Count(whole, before) != 1 {
		return "", errNowChanged
	}
	files := map[string][]byte{"time.go": bytes.Replace(whole, before, after, 1), "shift.go": shift}
	replace := map[string]string{}
	for name, content := range files {
		replaced := filepath.Join(dir, name)
		if err := os.WriteFile(replaced, content, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(source, name)] = replaced
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}
