package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// notesFile are the release notes.
const notesFile = "release-notes.md"

// notes returns the section of the changelog about this version, without its heading.
func (r *release) notes() (string, error) {
	data, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	heading := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(r.number()) + `\] - \d{4}-\d{2}-\d{2}$`)
	found := heading.FindIndex(data)
	if found == nil {
		return "", errChangelog(r.number())
	}
	section, _, _ := strings.Cut(string(data[found[1]:]), "\n## ")
	if section = strings.TrimSpace(section); section == "" {
		return "", errEmptyChangelog(r.number())
	}
	return section, nil
}

// releaseNotes returns the whole page: what changed, and how to install and check it.
func (r *release) releaseNotes(pinned string) (string, error) {
	section, err := r.notes()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`%[1]s

### Install

    kubectl apply --server-side -f %[2]s/%[3]s/install.yaml

install.yaml issues the webhook's certificate itself, install-cert-manager.yaml has cert-manager issue it. Both name the image by its digest:

    %[4]s

### Check

    sha256sum --check --ignore-missing %[5]s
    cosign verify --certificate-identity-regexp '/release.yaml@refs/tags/%[3]s$' --certificate-oidc-issuer https://token.actions.githubusercontent.com %[4]s
`, section, r.downloads, r.version, pinned, sumsFile), nil
}
