package plugin

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"isolate.example.io/test/gen"
)

// openTerminal returns the two ends of a terminal: what a person holds, and what a
// program has as its standard input.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { program.Close() })
	return person, program
}

// answering runs the plugin on a terminal and gives the answer once it asks.
func (n *namespace) answering(answer string, args ...string) result {
	n.Helper()
	person, program := openTerminal(n.T)
	r := n.start(program, args...)
	r.untilSays("[y/N] ")
	_, err := person.WriteString(answer + "\n")
	require.NoError(n, err)
	return r.end()
}

func TestOnATerminalThePlanIsShownBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deployWeb(1)
	plan := steady(n.done("plan", pod))

	r := n.answering("n", pod)
	require.Equal(t, result{code: 1, errOut: plan + "Quarantine pod/" + pod + " in namespace shop? [y/N] error: nothing was changed\n"},
		result{code: r.code, out: r.out, errOut: steady(r.errOut)})
	require.Empty(t, n.pod(pod).Annotations)

	r = n.answering("y", pod)
	require.Zero(t, r.code, r.errOut)
	require.Equal(t, plan+"Quarantine pod/"+pod+" in namespace shop? [y/N] ", steady(r.errOut), "what the plan has said is not said again")
	require.Contains(t, r.out, "pod/"+pod+" quarantined\n")
	require.Equal(t, "true", n.pod(pod).Labels["isolate.example.io/quarantined"])
}

func TestCtrlCAtTheQuestionChangesNothing(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web"))
	_, program := openTerminal(t)
	r := n.start(program, "web")
	r.untilSays("[y/N] ")
	r.interrupt()
	ended := r.end()
	require.Equal(t, 130, ended.code)
	require.Contains(t, ended.errOut, "Quarantine pod/web in namespace shop? [y/N] \nerror: nothing was changed\n")
	require.Empty(t, n.pod("web").Annotations)
}

func TestWarningsAreInColourOnATerminalOnly(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod(gen.Pod("web"))
	n.quarantine("web")
	const yellow, reset = "\x1b[33;1m", "\x1b[0m"
	onTerminal := func(env ...string) string {
		person, program := openTerminal(t)
		cmd := n.command(t.Context(), "hold", "web", "--dry-run=server")
		cmd.Env = append(append(cmd.Env, "TERM=xterm"), env...)
		cmd.Stderr = program
		require.NoError(t, cmd.Run())
		require.NoError(t, program.Close())
		var said bytes.Buffer
		_, _ = io.Copy(&said, person) // Ends with an error: the other end is closed.
		return said.String()
	}
	require.Contains(t, onTerminal(), yellow+"Warning:"+reset+" Holds the pod: ")
	require.NotContains(t, onTerminal("NO_COLOR=1"), "\x1b")
	require.Contains(t, n.isolate("hold", "web", "--dry-run=server").errOut, "Warning: Holds the pod: ")
}
