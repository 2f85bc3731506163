package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"the first argument must be one of: build, push, tag, verify":                                                              {"make"},
		`VERSION is "1.2.3", and must be a semantic version that begins with v, such as v1.2.3 or v1.2.3-rc.1`:                     {"build", "--version=1.2.3"},
		`VERSION is "v1.2", and must be a semantic version that begins with v, such as v1.2.3 or v1.2.3-rc.1`:                      {"build", "--version=v1.2"},
		`VERSION is "v1.2.3+x", and must be a semantic version that begins with v, such as v1.2.3 or v1.2.3-rc.1`:                  {"build", "--version=v1.2.3+x"},
		`IMAGE is "ghcr.io/owner/isolate:v1", and must be the repository of an image without a tag, such as ghcr.io/OWNER/isolate`: {"build", "--version=v1.2.3", "--image=ghcr.io/owner/isolate:v1"},
		`IMAGE is "", and must be the repository of an image without a tag, such as ghcr.io/OWNER/isolate`:                         {"build", "--version=v1.2.3"},
		`IMAGE is "Isolate", and must be the repository of an image without a tag, such as ghcr.io/OWNER/isolate`:                  {"build", "--version=v1.2.3", "--image=Isolate"},
	} {
		require.EqualError(t, run(t.Context(), args), want)
	}
}

func TestWhereSourcesAndFilesAre(t *testing.T) {
	for image, want := range map[string][2]string{
		"ghcr.io/owner/isolate":        {"https://github.com/owner/isolate", "https://github.com/owner/isolate/releases/download"},
		"registry.example.com/isolate": {"https://isolate.example.io", "https://isolate.example.io/releases"},
	} {
		r, err := parse([]string{"--version=v1.2.3", "--image=" + image})
		require.NoError(t, err)
		require.Equal(t, want, [2]string{r.source, r.downloads})
	}
}

func TestACheckoutThatIsNotReady(t *testing.T) {
	c := newCheckout(t)
	for _, command := range []string{"build", "verify"} {
		require.EqualError(t, c.run(command),
			"the commit that is checked out is not the tag v1.2.3. Make the tag with make release-tag, then run git checkout v1.2.3")
	}
	c.write("notes.txt", "")
	for _, command := range []string{"tag", "build", "verify"} {
		require.EqualError(t, c.run(command), "the checkout has uncommitted changes, and a release is made from a commit. "+
			"Commit or remove these files:\n?? notes.txt")
	}
	c.commit()
	changelog := c.read("CHANGELOG.md")
	for problem, changed := range map[string]string{
		`CHANGELOG.md has no section "## [1.2.3] - YYYY-MM-DD". Rename the section "## [Unreleased]" to it, with the date of the release, and add an empty "## [Unreleased]" above it`: strings.Replace(changelog, "[1.2.3]", "[1.2.2]", 1),
		"the section [1.2.3] of CHANGELOG.md is empty: describe what changes for users":                                                                                                "## [1.2.3] - 2026-01-02\n\n## [1.2.2] - 2026-01-01\n",
	} {
		c.write("CHANGELOG.md", changed)
		c.commit()
		require.EqualError(t, c.run("tag"), problem)
	}
}

func TestATagThatIsNotOfThisRelease(t *testing.T) {
	c := newCheckout(t).tagged()
	require.EqualError(t, c.run("build", "--image=registry.example.com/other"),
		"the manifests of this commit name the image registry.example.com/team/isolate:v1.2.3, but this release's image is registry.example.com/other:v1.2.3. "+
			"IMAGE must be the one that make release-tag was given")
	c.write("README.md", "")
	c.git("commit", "--quiet", "--all", "--amend", "--no-edit")
	c.git("tag", "--force", version)
	require.EqualError(t, c.run("build"), "the commit of the tag v1.2.3 changes more than the image in manifests/base/kustomization.yaml. "+
		"The commit before it was tested, so nothing else may differ:\nREADME.md\nmanifests/base/kustomization.yaml")
}
