//go:build linux

package node

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"isolate.example.io/test/framework/node"
)

func TestThePluginDebugsAPodOnceItIsOutOfTraffic(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(2)[0].Name
	n.kubectl("isolate", "debug", pod, "--yes", "--image="+node.WorkloadImage, "--container=shell", "--profile=general", "--",
		"sh", "-c", "ps; exec workload send http://127.0.0.1:8080")
	require.True(t, quarantined(n.pod(pod)))
	n.until(func() bool {
		log, err := n.try("logs", pod, "--container=shell")
		return err == nil && strings.Contains(log, "workload serve")
	}, "the ephemeral container lists the server's process")
}

// migrating adds an init container.
func migrating(spec *corev1.PodSpec) {
	spec.InitContainers = []corev1.Container{{Name: "migrate", Image: node.WorkloadImage, Command: []string{"sh", "-c", "echo migrated"}}}
}

// evidence unpacks an archive of the plugin.
func evidence(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	compressed, err := gzip.NewReader(file)
	require.NoError(t, err)
	return untar(t, compressed)
}

func untar(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		files[header.Name] = string(content)
	}
}

func TestThePluginCollectsWhatOnlyARealContainerHas(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1, withLiveness, migrating)[0].Name
	n.post(pod, "/fault/unhealthy")
	n.until(func() bool {
		status := n.pod(pod).Status.ContainerStatuses[0]
		return status.RestartCount == 1 && status.Ready
	}, "the container is restarted")
	n.quarantine(pod)
	n.post(pod, "/value/evidence")
	n.kubectl("debug", pod, "--image="+node.WorkloadImage, "--container=shell", "--profile=general", "--", "sh", "-c", "echo looked")
	n.until(func() bool {
		log, err := n.try("logs", pod, "--container=shell")
		return err == nil && log == "looked"
	}, "the ephemeral container has run")

	file := filepath.Join(t.TempDir(), "evidence.tgz")
	screen := n.kubectl("isolate", "collect", pod, "-o", file, "--copy=web:/etc/hostname", "--exec=web", "--", "workload", "get", "/value")
	t.Log(screen)
	files := evidence(t, file)
	require.Contains(t, files["logs/web.log"], "serving as "+pod)
	require.Contains(t, files["logs/web.previous.log"], "fault: unhealthy")
	require.Contains(t, files["logs/migrate.log"], "migrated")
	require.Contains(t, files["logs/shell.log"], "looked")
	require.Equal(t, "evidence\n", files["exec/web.out"])
	require.Equal(t, map[string]string{"etc/hostname": pod + "\n"}, untar(t, bytes.NewReader([]byte(files["copy/web/etc/hostname.tar"]))))
	require.Contains(t, n.kubectl("isolate", "collect", "--verify", file), "are as manifest.json says")
}

// The kubelet has the API for checkpoints, but the container runtime needs CRIU for them,
// which is not installed. The archive says so and has everything else.
func TestThePluginReportsThatTheRuntimeCannotCheckpoint(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	pod := n.deploy(1)[0].Name
	n.quarantine(pod)
	file := filepath.Join(t.TempDir(), "evidence.tgz")
	screen, err := n.try("isolate", "collect", pod, "-o", file, "--checkpoint")
	require.Error(t, err)
	require.Contains(t, screen, "Warning: checkpoint/web.json is not in the archive: ")
	var manifest struct {
		Missing []struct{ Name, Message string }
	}
	files := evidence(t, file)
	require.NoError(t, json.Unmarshal([]byte(files["manifest.json"]), &manifest))
	require.Len(t, manifest.Missing, 2, "the checkpoint, and metrics that nobody serves: %v", manifest.Missing)
	require.Contains(t, files["logs/web.log"], "serving as "+pod)
	t.Log(screen)
}
