package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	namedPath   = regexp.MustCompile("`((?:\\.ci|\\.github|cmd|quarantine|selectors|watchcache|webhook|sweeper|alertreceiver|certs|manifests|docs|test|release|examples)/[^`\\s]*)`")
	namedTarget = regexp.MustCompile("(?m)(?:`|^    )make ([a-z0-9-]+)")
	namedTest   = regexp.MustCompile(`go test (\./\S+) -run (Test\w+)`)
)

func TestDocumentedPathsExist(t *testing.T) {
	for _, page := range pages(t) {
		for _, found := range namedPath.FindAllStringSubmatch(page.text, -1) {
			matches, err := filepath.Glob(filepath.Join(root, found[1]))
			require.NoError(t, err)
			require.NotEmpty(t, matches, "%s names %s", page.name, found[1])
		}
	}
}

func TestDocumentedTargetsExist(t *testing.T) {
	makefile := readPage(t, "Makefile").text
	for _, page := range pages(t) {
		for _, found := range namedTarget.FindAllStringSubmatch(page.text, -1) {
			require.Contains(t, makefile, "\n"+found[1]+":", page.name)
		}
	}
}

func TestDocumentedTestsExist(t *testing.T) {
	var tried int
	for _, page := range pages(t) {
		for _, found := range namedTest.FindAllStringSubmatch(page.text, -1) {
			tried++
			list := exec.CommandContext(t.Context(), "grep", "-rqE", "^func "+found[2]+`\w*\(`, filepath.Join(root, strings.TrimPrefix(found[1], "./")))
			require.NoError(t, list.Run(), "%s names %s in %s", page.name, found[2], found[1])
		}
	}
	require.NotZero(t, tried)
}
