package plugin

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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
	cmd := n.command(n.Context(), args...)
	cmd.Stdin = program
	var out strings.Builder
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	require.NoError(n, err)
	require.NoError(n, cmd.Start())
	said := bufio.NewReader(stderr)
	var errOut strings.Builder
	for !strings.HasSuffix(errOut.String(), "[y/N] ") {
		b, err := said.ReadByte()
		require.NoError(n, err, errOut.String())
		errOut.WriteByte(b)
	}
	_, err = person.WriteString(answer + "\n")
	require.NoError(n, err)
	_, err = said.WriteTo(&errOut)
	require.NoError(n, err)
	err = cmd.Wait()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(n, err, &exit)
	}
	return result{out: n.general(out.String()), errOut: n.general(errOut.String()), code: cmd.ProcessState.ExitCode()}
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
