package plugin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/controlplane"
)

var flagName = regexp.MustCompile("(?:^|[\\s`'\"(])(--[a-z][a-z-]*)")

func document(t *testing.T) string {
	t.Helper()
	root, err := controlplane.Root()
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(root, "docs", "plugin.md"))
	require.NoError(t, err)
	return string(content)
}

// documentedLine returns the document's line that begins so.
func documentedLine(t *testing.T, prefix string) string {
	t.Helper()
	for line := range strings.Lines(document(t)) {
		if command := strings.TrimSpace(line); strings.HasPrefix(command, prefix) {
			return command
		}
	}
	t.Fatalf("docs/plugin.md has no line %q", prefix)
	return ""
}

// The document is held to the program: its flags, and its table of exit codes.
func TestTheDocumentNamesFlagsAndExitCodesThatExist(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	content := document(t)
	var help strings.Builder
	help.WriteString(n.done("--help") + n.kubectl("options") + n.kubectl("annotate", "--help") +
		n.kubectl("create", "job", "--help") + n.kubectl("set", "env", "--help"))
	for _, command := range commands {
		help.WriteString(n.done(command, "--help"))
		require.Contains(t, content, "kubectl isolate "+command)
	}
	var known []string
	for _, found := range flagName.FindAllStringSubmatch(help.String(), -1) {
		known = append(known, found[1])
	}
	for _, found := range flagName.FindAllStringSubmatch(content, -1) {
		require.Contains(t, known, found[1])
	}
	codes := regexp.MustCompile(`(?m)^  (\d+) +[a-z]`).FindAllStringSubmatch(n.done("--help"), -1)
	require.Len(t, codes, 6)
	for _, code := range codes {
		require.Contains(t, content, "\n| "+code[1]+" | ")
	}
	_, table, found := strings.Cut(content, "## Exit codes")
	require.True(t, found)
	require.Equal(t, len(codes), strings.Count(table, "\n| ")-1, "but for the header")
}
