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
// print their folder.
const emptyNode = "ISOLATE_TEST_EMPTY_NODE"

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
	folder := filepath.Join("/sys/fs/cgroup/pids/k8s.io", id)
	if _, err := os.Stat("/sys/fs/cgroup/pids"); err != nil {
		folder = filepath.Join("/sys/fs/cgroup/k8s.io", id) // cgroup v2
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	sleep := exec.Command("sleep", "1d")
	if err := sleep.Start(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(sleep.Process.Pid)), 0o600)
}

// startEmptyNode returns the program and the folder of its namespaces.
func startEmptyNode(t *testing.T, temp string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "ISOLATE_NODE=", emptyNode+"=1", "TMPDIR="+temp)
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
	temp := t.TempDir()
	program, dir := startEmptyNode(t, temp)
	require.NotEmpty(t, left(t, dir))
	require.NoError(t, program.Process.Signal(os.Interrupt))
	require.NoError(t, program.Wait())
	require.Empty(t, left(t, dir))
	require.NoDirExists(t, dir)
}

func TestTheNextNodeRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	killed, dir := startEmptyNode(t, temp)
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

	next, other := startEmptyNode(t, temp)
	require.NoDirExists(t, dir)
	require.Empty(t, left(t, dir))
	require.DirExists(t, other)
	require.NoError(t, next.Process.Signal(os.Interrupt))
	require.NoError(t, next.Wait())
}
