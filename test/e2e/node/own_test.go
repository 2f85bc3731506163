//go:build linux

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/framework/node"
	"isolate.example.io/test/gen"
)

// processes returns the folders in /proc of the processes with this command. Those in
// containers are visible to the node.
func processes(t *testing.T, command string) (folders []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(line), command+"\x00") { // It may have ended.
			folders = append(folders, filepath.Dir(file))
		}
	}
	return folders
}

func TestIsolatesOwnContainersHaveNoPrivileges(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"/webhook", "/sweeper"} {
		found := processes(t, command)
		require.NotEmpty(t, found, command)
		for _, process := range found {
			status, err := os.ReadFile(filepath.Join(process, "status"))
			require.NoError(t, err)
			for _, line := range []string{
				`Uid:\s65532\s65532\s65532\s65532`,
				`CapEff:\s0+`, `CapBnd:\s0+`, `NoNewPrivs:\s1`, `Seccomp:\s2`,
			} {
				require.Regexp(t, `(?m)^`+line+`$`, string(status), command)
			}
			mounts, err := os.ReadFile(filepath.Join(process, "mountinfo"))
			require.NoError(t, err)
			require.Regexp(t, `(?m) / / ro,`, string(mounts), "the root of %s is read-only", command)
		}
	}
}

func TestIsolatesNamespaceEnforcesTheRestrictedLevel(t *testing.T) {
	t.Parallel()
	pod := gen.Pod("privileged")
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	_, err := admin.CoreV1().Pods(node.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.ErrorContains(t, err, `violates PodSecurity "restricted:`)
}
