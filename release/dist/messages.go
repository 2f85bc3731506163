package main

import (
	"errors"
	"fmt"
	"strings"
)

func errCommand(commands []string) error {
	return fmt.Errorf("the first argument must be one of: %s", strings.Join(commands, ", "))
}

func errVersion(version string) error {
	return fmt.Errorf("VERSION is %q, and must be a semantic version that begins with v, such as v1.2.3 or v1.2.3-rc.1", version)
}

func errImage(image string) error {
	return fmt.Errorf("IMAGE is %q, and must be the repository of an image without a tag, such as ghcr.io/OWNER/isolate", image)
}

func errDirty(files string) error {
	return fmt.Errorf("the checkout has uncommitted changes, and a release is made from a commit. Commit or remove these files:\n%s", files)
}

func errChangelog(number string) error {
	return fmt.Errorf("CHANGELOG.md has no section %q. Rename the section \"## [Unreleased]\" to it, with the date of the release, and add an empty \"## [Unreleased]\" above it",
		"## ["+number+"] - YYYY-MM-DD")
}

func errEmptyChangelog(number string) error {
	return fmt.Errorf("the section [%s] of CHANGELOG.md is empty: describe what changes for users", number)
}

func errTagExists(tag string) error {
	return fmt.Errorf("the tag %s exists already, and a tag is never moved. Choose the next version", tag)
}

func errNotTagged(tag string) error {
	return fmt.Errorf("the commit that is checked out is not the tag %[1]s. Make the tag with make release-tag, then run git checkout %[1]s", tag)
}

func errOtherChanges(tag, files string) error {
	return fmt.Errorf("the commit of the tag %s changes more than the image in %s. The commit before it was tested, so nothing else may differ:\n%s", tag, kustomization, files)
}

func errManifestImage(found, want string) error {
	return fmt.Errorf("the manifests of this commit name the image %s, but this release's image is %s. "+
		"IMAGE must be the one that make release-tag was given", found, want)
}

func errMissingFile(file string) error { return fmt.Errorf("%s is missing in the release", file) }

func errUnknownFile(file string) error { return fmt.Errorf("%s is not a file of the release", file) }

func errSum(file string) error {
	return fmt.Errorf("%s is not the file that %s lists: its SHA-256 differs", file, sumsFile)
}

func errDiffers(file, from string) error {
	return fmt.Errorf("%s is not what this commit builds: it differs from %s", file, from)
}

var errNoIndex = errors.New("isolate-image.tar has no index of images")
