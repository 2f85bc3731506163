package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/gen"
)

var commands = []string{"plan", "list", "status", "extend", "hold", "unhold", "release", "debug", "collect", "doctor"}

func TestHelpNamesEveryCommandWithAnExample(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	help := n.done("--help")
	require.Equal(t, help, n.done(), "without arguments, too")
	for _, command := range commands {
		require.Contains(t, help, "\n  "+command+" ")
		own := n.done(command, "--help")
		require.Contains(t, own, "\nUsage:\n  kubectl isolate "+command)
		require.Contains(t, own, "\nExamples:\n")
		require.Contains(t, own, "  kubectl isolate "+command)
		require.NotContains(t, own, "--kubeconfig", "kubectl's own flags are kubectl's to list")
	}
	for code, meaning := range map[string]string{
		"0": "done", "1": "failed", "3": "refused", "4": "quarantined, but", "5": "collected, but", "130": "interrupted",
	} {
		require.Regexp(t, `(?m)^  `+code+` +`+meaning, help)
	}
}

func TestAWordThatIsNoCommandIsAnsweredWithTheOneThatIsMeant(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	const help = "See 'kubectl isolate -h' for help and examples\n"
	for _, test := range []struct {
		args    []string
		message string
	}{
		{[]string{"lst"}, "Error from server (NotFound): pods \"lst\" not found; did you mean: kubectl isolate list\n"},
		{[]string{"stats", "web"}, "error: there is no command \"stats\"; did you mean: kubectl isolate status\n" + help},
		{[]string{"quarantine", "web"}, "error: there is no command \"quarantine\". To quarantine a pod: kubectl isolate POD\n" + help},
		{[]string{"web"}, "Error from server (NotFound): pods \"web\" not found\n"},
	} {
		require.Equal(t, result{code: 1, errOut: test.message}, n.isolate(test.args...))
	}
}

// complete asks as kubectl does: it runs the plugin by another name.
func (n *namespace) complete(words ...string) []string {
	n.Helper()
	link := filepath.Join(n.TempDir(), "kubectl_complete-isolate")
	require.NoError(n, os.Symlink(filepath.Join(bin, "kubectl-isolate"), link))
	cmd := exec.CommandContext(n.Context(), link, words...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+n.kubeconfig, "HOME="+n.TempDir())
	out, err := cmd.Output()
	require.NoError(n, err)
	var found []string
	for line := range strings.Lines(n.general(string(out))) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
			found = append(found, word)
		}
	}
	return found
}

func TestNamesOfPodsAreCompleted(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web-free"))
	n.createPod(gen.Pod("web-out"))
	n.quarantine("web-out")
	require.Contains(t, n.complete(""), "web-free")
	require.Contains(t, n.complete(""), "list")
	require.Equal(t, []string{"web-free"}, n.complete("plan", "web"))
	require.Equal(t, []string{"web-out"}, n.complete("release", "web"))
	require.Equal(t, []string{"web-free", "web-out"}, n.complete("collect", "web"))
	require.Empty(t, n.complete("release", "web-out", ""))
	require.Equal(t, []string{"none", "out", "replaced"}, n.complete("web-free", "--wait", ""))
	require.Equal(t, []string{"shop"}, n.complete("list", "-n", n.name))
}
