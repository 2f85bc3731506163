package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is a Markdown document.
type page struct{ name, text string }

// pages are all documents.
func pages(t *testing.T) []page {
	t.Helper()
	var found []page
	for _, pattern := range []string{"*.md", "docs/*.md", "test/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, name := range names {
			found = append(found, readPage(t, strings.TrimPrefix(name, root+"/")))
		}
	}
	require.NotEmpty(t, found)
	return found
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return page{name, string(data)}
}

// kubectlCommands are the lines of the indented blocks that run kubectl.
func (p page) kubectlCommands() []string {
	var found []string
	for line := range strings.Lines(p.text) {
		if command, ok := strings.CutPrefix(line, "    "); ok && strings.HasPrefix(command, "kubectl ") {
			found = append(found, strings.TrimSpace(command))
		}
	}
	return found
}

var notInAnchors = regexp.MustCompile(`[^a-z0-9 _-]`)

// anchors are those of the headings, as GitHub makes them.
func (p page) anchors() []string {
	var found []string
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(line, "#") {
			title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
			found = append(found, strings.ReplaceAll(notInAnchors.ReplaceAllString(title, ""), " ", "-"))
		}
	}
	return found
}

var link = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)

func TestLinksResolve(t *testing.T) {
	for _, from := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(from.text, -1) {
			file, anchor := found[1], found[2]
			if strings.Contains(file, "://") {
				continue
			}
			target := from.name
			if file != "" {
				target = filepath.Join(filepath.Dir(from.name), file)
			}
			if anchor != "" {
				require.Contains(t, readPage(t, target).anchors(), anchor, "a link in %s to %s", from.name, target)
				continue
			}
			_, err := os.Stat(filepath.Join(root, target))
			require.NoError(t, err, "a link in %s", from.name)
		}
	}
}

// A newcomer should be able to read it to the end.
func TestREADMELength(t *testing.T) {
	require.Less(t, strings.Count(readPage(t, "README.md").text, "\n"), 120)
}
