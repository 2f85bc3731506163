package admission

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// answer is the response to a write.
type answer struct {
	write    string
	pod      *corev1.Pod // as this write stored it
	warnings []string
	err      error
}

// warningCollector passes each warning to the request that it belongs to.
type warningCollector struct{}

type warningsKey struct{}

func (warningCollector) HandleWarningHeaderWithContext(ctx context.Context, _ int, _, text string) {
	if warnings, ok := ctx.Value(warningsKey{}).(*[]string); ok {
		*warnings = append(*warnings, text)
	}
}

// metadata is a merge patch of a pod's metadata.
type metadata map[string]any

func annotations(pairs ...string) metadata {
	values := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return metadata{"annotations": values}
}

func without(key string) metadata { return metadata{"annotations": map[string]any{key: nil}} }

// write makes a write like kubectl annotate, and requires that the answer is true.
func (n *namespace) write(what, pod string, change metadata) answer {
	n.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": change})
	require.NoError(n, err)
	n.waitCached(pod)
	a := answer{write: what}
	ctx := context.WithValue(n.Context(), warningsKey{}, &a.warnings)
	a.pod, a.err = admin.CoreV1().Pods(n.name).Patch(ctx, pod, types.MergePatchType, patch, metav1.PatchOptions{})
	if a.err != nil {
		a.pod = nil
	}
	n.log(a)
	n.requireTrue(a)
	return a
}

// waitCached waits until the API server's cache has the stored pod. The API server begins a
// write with the cached pod. If that is stale, it runs admission twice, and returns the
// warnings of both.
func (n *namespace) waitCached(name string) {
	n.Helper()
	_, err := admin.CoreV1().Pods(n.name).Get(n.Context(), name, metav1.GetOptions{ResourceVersion: n.read(name).ResourceVersion})
	require.NoError(n, err)
}

func (n *namespace) log(a answer) {
	n.Helper()
	n.Logf("%s: %v\n\t%s", a.write, a.err, strings.Join(a.warnings, "\n\t"))
	if a.pod != nil {
		n.Logf("stored: labels %v, annotations %v, owners %v", a.pod.Labels, a.pod.Annotations, a.pod.OwnerReferences)
	}
}

// requireAllowed fails unless the write was stored or one of the third parties refused it.
// It reports whether it was stored.
func (n *namespace) requireAllowed(a answer) bool {
	n.Helper()
	if a.err == nil {
		return true
	}
	if n.thirdParties.refusedBy(a.err) {
		return false
	}
	assert.True(n, n.thirdParties.removesRecord() && (apierrors.IsForbidden(a.err) || apierrors.IsInvalid(a.err)),
		"locked: %s is refused, and by none of the third parties: %v", a.write, a.err)
	return false
}

// requireOut fails unless nothing selects or owns the stored pod, and the record is complete.
func (n *namespace) requireOut(a answer) {
	n.Helper()
	assert.Empty(n, n.selecting(a.pod.Labels), "%s: what selects the pod", a.write)
	assert.Empty(n, a.pod.OwnerReferences, a.write)
	status := quarantine.StatusOf(a.pod.Labels, a.pod.Annotations)
	assert.Equal(n, quarantine.Quarantined, status.State, "%s: %v", a.write, status.Problem)
}

func expiresAt(pod *corev1.Pod) time.Time {
	at, _ := time.Parse(time.RFC3339, pod.Annotations[quarantine.ExpiresAtKey])
	return at
}
