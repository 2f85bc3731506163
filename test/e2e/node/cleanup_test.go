//go:build linux

package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"isolate.example.io/test/framework/node"
	"isolate.example.io/test/framework/waiting"
)

// emptyNode has this program run namespaces with one process in place of a cluster, and
// print their folder. If it is frozen, it leaves the process as a failed checkpoint does.
const (
	emptyNode = "ISOLATE_TEST_EMPTY_NODE"
	frozen    = "frozen"
)

// runEmptyNode is what the program does then. It ends when it is told to.
func runEmptyNode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if !node.Inside() {
		code, err := node.Run(ctx, node.Built{})
		if errors.Is(err, context.Canceled) {
			return 0
		}
		if err != nil {
			println(err.Error())
		}
		return code
	}
	dir, err := node.Dir()
	if err == nil {
		err = startInCgroup(dir)
	}
	if err != nil {
		println(err.Error())
		return 1
	}
	fmt.Println(dir)
	select {}
}

// startInCgroup starts a process in a cgroup, as containerd does for a container, which
// it also has a folder for.
func startInCgroup(dir string) error {
	id := filepath.Base(dir)
	if err := os.MkdirAll(filepath.Join(dir, "containerd/io.containerd.grpc.v1.cri/containers", id), 0o755); err != nil {
		return err
	}
	folder, file, value := filepath.Join("/sys/fs/cgroup/freezer/k8s.io", id), "freezer.state", "FROZEN"
	if _, err := os.Stat("/sys/fs/cgroup/freezer"); err != nil {
		folder, file, value = filepath.Join("/sys/fs/cgroup/k8s.io", id), "cgroup.freeze", "1" // cgroup v2
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	sleep := exec.Command("sleep", "1d")
	if err := sleep.Start(); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(sleep.Process.Pid)), 0o600)
	if err != nil || os.Getenv(emptyNode) != frozen {
		return err
	}
	return os.WriteFile(filepath.Join(folder, file), []byte(value), 0o600)
}

// startEmptyNode returns the program and the folder of its namespaces.
func startEmptyNode(t *testing.T, temp, state string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "ISOLATE_NODE=", emptyNode+"="+state, "TMPDIR="+temp)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return cmd, strings.TrimSpace(line)
}

// left returns the cgroups of a node.
func left(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/*/k8s.io/", "/sys/fs/cgroup/k8s.io/"} {
		folders, err := filepath.Glob(pattern + filepath.Base(dir))
		require.NoError(t, err)
		found = append(found, folders...)
	}
	return found
}

func TestAnInterruptedNodeLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"running", frozen} {
		program, dir := startEmptyNode(t, t.TempDir(), state)
		require.NotEmpty(t, left(t, dir))
		require.NoError(t, program.Process.Signal(os.Interrupt))
		require.NoError(t, program.Wait())
		require.Empty(t, left(t, dir), state)
		require.NoDirExists(t, dir, state)
	}
}

func TestTheNextNodeRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	killed, dir := startEmptyNode(t, temp, "running")
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	cgroups := left(t, dir)
	require.NotEmpty(t, cgroups)
	waiting.Until(t, func() bool {
		for _, folder := range cgroups {
			processes, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
			require.NoError(t, err)
			if len(processes) > 0 {
				return false
			}
		}
		return true
	}, "the kernel ends the processes of a killed node")
	require.DirExists(t, dir)

	next, other := startEmptyNode(t, temp, "running")
	require.NoDirExists(t, dir)
	require.Empty(t, left(t, dir))
	require.DirExists(t, other)
	require.NoError(t, next.Process.Signal(os.Interrupt))
	require.NoError(t, next.Wait())
}

// A frozen process does not even end when its namespaces do.
func TestTheNextNodeRemovesWhatAKilledOneLeftFrozen(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	killed, dir := startEmptyNode(t, temp, frozen)
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	next, _ := startEmptyNode(t, temp, "running")
	require.NoDirExists(t, dir)
	require.Empty(t, left(t, dir))
	require.NoError(t, next.Process.Signal(os.Interrupt))
	require.NoError(t, next.Wait())
}
