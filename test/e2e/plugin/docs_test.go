package plugin

import (
	"os"
	"os/exec"
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

var (
	documentedRun = regexp.MustCompile("(?m)^\\$ (kubectl isolate .*)\n((?:[^$`].*\n|\n)+)")
	podName       = regexp.MustCompile(`\b(isolate-webhook|web)-[0-9a-z]{8,10}-[0-9a-z]{5}\b`)
	templateHash  = regexp.MustCompile(`\b[bcdf-hj-np-tv-xz2456789]{8,10}\b`)
	nodeName      = regexp.MustCompile(`\bnode-\d\b`)
	padding       = regexp.MustCompile(`  +|\n(Waiting until .*\n)+`)
)

// normalized replaces what differs from run to run.
func normalized(output string) string {
	output = podName.ReplaceAllString(untimed(output), "$1-POD")
	output = nodeName.ReplaceAllString(output, "NODE")
	output = templateHash.ReplaceAllString(output, "HASH")
	output = regexp.MustCompile(`\b(\d+[dhms])+\b`).ReplaceAllString(steady(output), "SPAN")
	return strings.TrimSpace(padding.ReplaceAllStringFunc(output, func(found string) string { return found[:1] }))
}

// The document's runs, one after the other on the application of the tests, print what the
// document shows, up to a line with dots.
func TestTheDocumentShowsRealOutput(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(2)
	n.until(func() bool {
		return strings.Contains(n.done("doctor"), "2 of 2 replicas are ready") && strings.Contains(n.done("plan", pod), "2 of 2 pods available")
	}, "everything is available")
	runs := documentedRun.FindAllStringSubmatch(document(t), -1)
	require.Len(t, runs, 9)
	for _, found := range runs {
		line, want := podName.ReplaceAllString(found[1], pod), found[2]
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+filepath.Dir(cluster.Kubectl())+":"+os.Getenv("PATH"), "KUBECONFIG="+n.kubeconfig, "HOME="+n.TempDir())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, out)
		got := n.general(string(out))
		if begin, _, cut := strings.Cut(want, "\n...\n"); cut {
			want = begin
			got = strings.Join(strings.SplitAfter(got, "\n")[:strings.Count(want, "\n")+1], "")
		}
		require.Equal(t, normalized(want), normalized(got), line)
	}
}
