package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sumsFile lists the SHA-256 of every other file of the release, as sha256sum does.
const sumsFile = "SHA256SUMS"

// files returns the names of all files of the release but the sums, in order.
func (r *release) files() []string {
	files := []string{indexArchive, referenceFile, r.chartArchive(), krewManifest, notesFile}
	for file := range installations {
		files = append(files, file)
	}
	for _, architecture := range r.architectures {
		files = append(files, imageArchive(architecture), sbomFile(imageArchive(architecture)))
	}
	for _, platform := range r.platforms {
		files = append(files, pluginArchive(platform), sbomFile(pluginArchive(platform)))
	}
	slices.Sort(files)
	return files
}

func (r *release) writeSums() error {
	var sums bytes.Buffer
	for _, file := range r.files() {
		sum, err := r.sum(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, file)
	}
	return r.write(sumsFile, sums.String())
}

func (r *release) sum(file string) (string, error) {
	data, err := os.ReadFile(filepath.Join(r.output, file))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// verifySums checks that the folder has exactly the files of a release, unchanged.
func (r *release) verifySums() error {
	entries, err := os.ReadDir(r.output)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != sumsFile && !slices.Contains(r.files(), entry.Name()) {
			return errUnknownFile(entry.Name())
		}
	}
	data, err := os.ReadFile(filepath.Join(r.output, sumsFile))
	if err != nil {
		return err
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(data)) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[file] = sum
	}
	for _, file := range r.files() {
		sum, err := r.sum(file)
		switch {
		case os.IsNotExist(err):
			return errMissingFile(file)
		case err != nil:
			return err
		case sum != listed[file]:
			return errSum(file)
		}
	}
	return nil
}
