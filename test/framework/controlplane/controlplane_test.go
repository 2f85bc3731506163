package controlplane_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/controlplane"
)

const patience = time.Minute

var programs = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}

func binaries(t *testing.T) string {
	t.Helper()
	dir, err := controlplane.Binaries(t.Context(), os.Stderr)
	require.NoError(t, err)
	return dir
}

func start(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Dir: t.TempDir(), Binaries: binaries(t)})
	require.NoError(t, err)
	t.Cleanup(c.Stop)
	return c
}

func client(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return c
}

func TestControlPlanesRunSideBySide(t *testing.T) {
	one, other := start(t), start(t)
	for _, c := range []*controlplane.ControlPlane{one, other} {
		pods := client(t, c.Config()).CoreV1().Pods("default")
		list, err := pods.List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Empty(t, list.Items)
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "web"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}
		_, err = pods.Create(t.Context(), pod, metav1.CreateOptions{})
		require.NoError(t, err)
		eventually(t, func() (bool, error) {
			pod, err := pods.Get(t.Context(), "web", metav1.GetOptions{})
			return err == nil && pod.Status.Phase == corev1.PodRunning && pod.Status.PodIP != "", err
		})
	}
}

func TestUserConfigsAuthenticate(t *testing.T) {
	c := start(t)
	account, err := c.ServiceAccountConfig(t.Context(), "default", "default")
	require.NoError(t, err)
	for name, config := range map[string]*rest.Config{
		"kubernetes-admin": c.Config(), "ann": c.UserConfig("ann", "on-call"), "system:serviceaccount:default:default": account,
	} {
		require.Equal(t, name, whoAmI(t, config))
	}
}

func TestStopEndsEveryProcess(t *testing.T) {
	c := start(t)
	var pids []int
	for _, name := range programs {
		pids = append(pids, c.Process(name).PID())
	}
	c.Stop()
	for i, pid := range pids {
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, programs[i])
	}
}

func TestFailedStartReportsWhyAndEndsEveryProcess(t *testing.T) {
	dir := tempDir(t)
	_, err := controlplane.Start(t.Context(), controlplane.Options{
		Dir: dir, Binaries: binaries(t), APIServerFlags: []string{"--no-such-flag"},
	})
	require.ErrorContains(t, err, "kube-apiserver")
	require.ErrorContains(t, err, "unknown flag: --no-such-flag")
	require.Empty(t, runningIn(t, dir))
}

func TestCancelledStartEndsEveryProcess(t *testing.T) {
	dir := tempDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	options := controlplane.Options{Dir: dir, Binaries: binaries(t)}
	failed := make(chan error)
	go func() {
		_, err := controlplane.Start(ctx, options)
		failed <- err
	}()
	eventually(t, func() (bool, error) { return len(runningIn(t, dir)) > 0, nil })
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Empty(t, runningIn(t, dir))
}

func TestExitedProgramIsReported(t *testing.T) {
	c := start(t)
	c.Process("kwok").Kill()
	require.ErrorContains(t, c.Wait(t.Context()), "kwok: it exited")
}

func eventually(t *testing.T, condition wait.ConditionFunc) {
	t.Helper()
	require.NoError(t, wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, patience, true, condition.WithContext()))
}

// tempDir is a folder by the name that the kernel knows it by.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return dir
}

// runningIn finds the processes whose working directory is this one.
func runningIn(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	var running []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == dir {
			running = append(running, link)
		}
	}
	return running
}

func whoAmI(t *testing.T, config *rest.Config) string {
	t.Helper()
	review, err := client(t, config).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(t, err)
	return review.Status.UserInfo.Username
}
