package falcotalon

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/shop"
	"isolate.example.io/test/gen"
)

// shippedAction returns the annotations of the example's action.
func shippedAction(t *testing.T) map[string]string {
	t.Helper()
	for _, e := range shipped {
		if e.Action != "" {
			require.Equal(t, "kubernetes:annotation", e.Actionner)
			return e.Parameters.Annotations
		}
	}
	t.Fatal("the example has no action")
	return nil
}

// shippedRule returns the example's rule.
func shippedRule(t *testing.T) entry {
	t.Helper()
	for _, e := range shipped {
		if e.Rule != "" {
			return e
		}
	}
	t.Fatal("the example has no rule")
	return entry{}
}

func TestPodWithoutAnnotationsIsQuarantined(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 2)
	pod := s.Serving()[0]
	require.Empty(t, s.Pod(pod).Annotations, "otherwise this tests the other case")
	began := time.Now()
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pod, shippedAction(t)))
	stored := s.UntilOut(pod)
	t.Logf("from Falco Talon's first request to out of traffic: %s", time.Since(began))
	require.NotContains(t, stored.Annotations, placeholder)
	require.Equal(t, shippedAction(t)[quarantine.ReasonKey], stored.Annotations[quarantine.ReasonKey])
	require.Equal(t, "system:serviceaccount:falco:falco-talon", stored.Annotations[quarantine.QuarantinedByKey])
}

// The JSON patch replaces annotations that the pod does not have, and the last one is empty.
func TestPodWithAnnotationsIsQuarantined(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Serving()[0]
	annotatePod(t, s, pod, "example.com/team", "shop")
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pod, shippedAction(t)))
	require.Equal(t, "shop", s.UntilOut(pod).Annotations["example.com/team"])
}

func TestSecondEventChangesNothing(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Serving()[0]
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pod, shippedAction(t)))
	before := s.UntilOut(pod)
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pod, shippedAction(t)))
	require.Equal(t, before.Annotations, s.Pod(pod).Annotations)
	require.Equal(t, before.Labels, s.Pod(pod).Labels)
}

// An empty value removes the annotation, so an action of Falco Talon can release a pod.
func TestEmptyValueReleases(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	pod := s.Serving()[0]
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pod, shippedAction(t)))
	s.UntilOut(pod)
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pod, map[string]string{quarantine.TriggerKey: ""}))
	require.Empty(t, s.Quarantined())
}

// Falco Talon logs the error and notifies with it, so it has to say what to do.
func TestRefusalNamesTheBudget(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 2, gen.Annotation(quarantine.ControllerBudgetKey, "1"))
	pods := s.Serving()
	require.NoError(t, annotate(t.Context(), talon, s.Namespace, pods[0], shippedAction(t)))
	s.UntilOut(pods[0])
	err := annotate(t.Context(), talon, s.Namespace, pods[1], shippedAction(t))
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, "1 of at most 1 pods of Deployment/web are already quarantined")
	require.Len(t, s.Quarantined(), 1)
	t.Logf("Falco Talon logs: %v", err)
}

// Without update, Falco Talon fails on every pod without annotations, which most pods are.
func TestRoleWithoutUpdateFails(t *testing.T) {
	t.Parallel()
	role, err := admin.RbacV1().ClusterRoles().Get(t.Context(), "falco-talon-isolate", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"get", "update", "patch", "delete"}, role.Rules[0].Verbs)
	for _, without := range role.Rules[0].Verbs {
		t.Run(without, func(t *testing.T) {
			t.Parallel()
			s := shop.Open(t, admin, 1)
			client := clientWithout(t, s, role, without)
			pod := s.Serving()[0]
			err := annotate(t.Context(), client, s.Namespace, pod, shippedAction(t))
			require.True(t, apierrors.IsForbidden(err), "without %s: %v", without, err)
			require.Empty(t, s.Quarantined())
		})
	}
}

// clientWithout returns a client whose role lacks one verb of another role.
func clientWithout(t *testing.T, s *shop.Shop, role *rbacv1.ClusterRole, verb string) *kubernetes.Clientset {
	t.Helper()
	ctx, create := t.Context(), metav1.CreateOptions{}
	rule := *role.Rules[0].DeepCopy()
	rule.Verbs = nil
	for _, other := range role.Rules[0].Verbs {
		if other != verb {
			rule.Verbs = append(rule.Verbs, other)
		}
	}
	meta := metav1.ObjectMeta{Name: "lacking"}
	_, err := admin.CoreV1().ServiceAccounts(s.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, create)
	require.NoError(t, err)
	_, err = admin.RbacV1().Roles(s.Namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}}, create)
	require.NoError(t, err)
	_, err = admin.RbacV1().RoleBindings(s.Namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.Namespace, Name: meta.Name}},
	}, create)
	require.NoError(t, err)
	config, err := cluster.ServiceAccountConfig(ctx, s.Namespace, meta.Name)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func TestRuleExcludesSystemNamespaces(t *testing.T) {
	t.Parallel()
	rule := shippedRule(t)
	const drop = "Drop and execute new binary in container"
	for namespace, want := range map[string]bool{
		"shop": true, metav1.NamespaceSystem: false, talonNamespace: false, "isolate-system": false,
	} {
		require.Equal(t, want, rule.matches(drop, map[string]string{"k8s.ns.name": namespace}), namespace)
	}
	require.False(t, rule.matches("Terminal shell in container", map[string]string{"k8s.ns.name": "shop"}),
		"an engineer's shell must not quarantine the pod")
	split := rule
	split.Match.OutputFields = []string{"k8s.ns.name!=kube-system", "k8s.ns.name!=falco"}
	require.True(t, split.matches(drop, map[string]string{"k8s.ns.name": metav1.NamespaceSystem}), "separate items exclude nothing")
}

func TestExampleInstallsItsRules(t *testing.T) {
	t.Parallel()
	root, err := controlplane.Root()
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(root, example, "rules.yaml"))
	require.NoError(t, err)
	installed, err := admin.CoreV1().ConfigMaps(talonNamespace).Get(t.Context(), "falco-talon-isolate-rules", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, string(want), installed.Data["rules.yaml"])
}

// annotatePod sets an annotation as the administrator.
func annotatePod(t *testing.T, s *shop.Shop, name, key, value string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, key, value)
	_, err := admin.CoreV1().Pods(s.Namespace).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
}
