package availability

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
)

// Package quarantine keeps a quarantined pod of each release in its testdata. These
// pods exist when isolate is installed.
func TestUpgradeAndDowngradeKeepQuarantinedPods(t *testing.T) {
	c := start(t, controlplane.Options{})
	c.kubectl("create", "namespace", "shop")
	files, err := filepath.Glob(filepath.Join(c.root(), "quarantine", "testdata", "records", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	pods := map[string]*corev1.Pod{}
	for _, file := range files {
		release := strings.TrimSuffix(filepath.Base(file), ".json")
		pods[release] = c.left(file, release, time.Now().Add(time.Hour))
		c.left(file, release+"-overdue", time.Now())
	}
	c.install(installation.Options{})
	c.running("shop", quarantine.QuarantinedLabel, len(files)) // The expired ones are gone.

	c.kubectl("create", "service", "clusterip", "greedy", "--namespace=shop", "--tcp=80")
	c.kubectl("set", "selector", "service", "greedy", "--namespace=shop", "release=quarantined-login-audit-trail-service")
	c.running("shop", quarantine.QuarantinedLabel+",release=quarantined-quarantined-login-audit-trail-service", len(files)) // The leak guard's recheck detached them again.
	for release, before := range pods {
		annotate := func(annotations ...string) *corev1.Pod {
			c.kubectl(append([]string{"annotate", "pod", "--namespace=shop", release}, annotations...)...)
			pod, err := c.admin.CoreV1().Pods("shop").Get(t.Context(), release, metav1.GetOptions{})
			require.NoError(t, err)
			return pod
		}
		kept := annotate(quarantine.HoldKey+"=true", quarantine.ExtendKey+"=7d")
		require.Greater(t, kept.Annotations[quarantine.ExpiresAtKey], before.Annotations[quarantine.ExpiresAtKey])
		requireKept(t, before, kept)
		free := annotate(quarantine.TriggerKey+"-", quarantine.ForceKey+"=true")
		require.NotContains(t, free.Labels, quarantine.QuarantinedLabel)
		require.Equal(t, "login-audit-trail-service", free.Labels["release"])
		require.NotContains(t, free.Annotations, quarantine.RecordKey)
	}
}

// left creates a pod that another release quarantined, with this expiry.
func (c *cluster) left(file, name string, end time.Time) *corev1.Pod {
	c.Helper()
	data, err := os.ReadFile(file)
	require.NoError(c, err)
	pod := &corev1.Pod{}
	require.NoError(c, json.Unmarshal(data, pod))
	pod.Name, pod.Namespace, pod.UID = name, "shop", ""
	pod.Annotations[quarantine.ExpiresAtKey] = end.UTC().Format(time.RFC3339)
	pod.Spec.Containers = []corev1.Container{{Name: "web", Image: "web:1"}}
	created, err := c.admin.CoreV1().Pods(pod.Namespace).Create(c.Context(), pod, metav1.CreateOptions{})
	require.NoError(c, err)
	return created
}

// requireKept fails unless the record still has everything that it had before,
// including fields that this release doesn't know.
func requireKept(t *testing.T, before, after *corev1.Pod) {
	t.Helper()
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal([]byte(before.Annotations[quarantine.RecordKey]), &was))
	require.NoError(t, json.Unmarshal([]byte(after.Annotations[quarantine.RecordKey]), &is))
	for field, value := range was {
		if !slices.Contains([]string{"rewritten", "detachedFrom", "letGo"}, field) { // These grew, and letGo is detachedFrom now.
			require.Equal(t, string(value), string(is[field]), field)
		}
	}
}
