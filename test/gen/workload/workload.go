package workload

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podsAnApp is the number of pods per app.
const podsAnApp = 5

// App is a numbered application.
type App struct {
	Namespace string
	Number    int
}

// AppOf returns the app of the pod with that number.
func AppOf(namespace string, pod int) App { return App{Namespace: namespace, Number: pod / podsAnApp} }

// Name returns the app's name.
func (a App) Name() string { return fmt.Sprintf("payments-%05d", a.Number) }

// hash returns the pod-template-hash of a revision.
func (a App) hash(revision int) string { return fmt.Sprintf("5d4f%05d%d", a.Number, revision) }

// Labels returns the labels of the app's pods of a revision.
func (a App) Labels(revision int) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       a.Name(),
		"app.kubernetes.io/component":  "backend",
		"app.kubernetes.io/part-of":    "shop",
		"app.kubernetes.io/managed-by": "Helm",
		"app.kubernetes.io/version":    "2.14.3",
		"team":                         "payments",
		"pod-template-hash":            a.hash(revision),
	}
}

// Service returns a Service that selects the app's pods like typical charts. It is
// headless, so that no cluster runs out of cluster IPs.
func (a App) Service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: a.meta(a.Name()),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  map[string]string{"app.kubernetes.io/name": a.Name(), "app.kubernetes.io/component": "backend"},
			Ports:     []corev1.ServicePort{{Name: "http", Port: 80}, {Name: "metrics", Port: 9090}},
		},
	}
}

// ReplicaSet returns a revision of the app's Deployment. It has no replicas, so the
// controller creates no pods.
func (a App) ReplicaSet(revision int) *appsv1.ReplicaSet {
	labels := a.Labels(revision)
	meta := a.meta(a.replicaSetName(revision))
	meta.Annotations = map[string]string{
		"deployment.kubernetes.io/desired-replicas": "5",
		"deployment.kubernetes.io/max-replicas":     "7",
		"deployment.kubernetes.io/revision":         strconv.Itoa(revision),
		"meta.helm.sh/release-name":                 a.Name(),
	}
	meta.OwnerReferences = []metav1.OwnerReference{owner("Deployment", a.Name(), a.uid("d", 0))}
	return &appsv1.ReplicaSet{
		ObjectMeta: meta,
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32(0)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{
				"app.kubernetes.io/name": a.Name(), "app.kubernetes.io/component": "backend", "pod-template-hash": a.hash(revision),
			}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: a.spec()},
		},
	}
}

// Pod returns a pod of the app's first revision. Its node doesn't exist, so nobody runs it.
func (a App) Pod(name string) *corev1.Pod {
	meta := a.meta(name)
	meta.Labels = a.Labels(1)
	meta.Annotations = map[string]string{
		"checksum/config":      "0a4f1d7c9e2b6a8350f1c2d3e4b5a69788796a5b4c3d2e1f0a4f1d7c9e2b6a83",
		"prometheus.io/port":   "9090",
		"prometheus.io/scrape": "true",
	}
	meta.OwnerReferences = []metav1.OwnerReference{owner("ReplicaSet", a.replicaSetName(1), a.uid("r", 1))}
	return &corev1.Pod{ObjectMeta: meta, Spec: a.spec()}
}

func (a App) replicaSetName(revision int) string { return a.Name() + "-" + a.hash(revision) }

func (a App) uid(kind string, revision int) types.UID {
	return types.UID(fmt.Sprintf("%s-%d-%05d", kind, revision, a.Number))
}

func (a App) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: a.Namespace, Name: name, Labels: map[string]string{
		"app.kubernetes.io/name": a.Name(), "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "payments-2.14.3",
	}}
}

func owner(kind, name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: "apps/v1", Kind: kind, Name: name, UID: uid,
		Controller: new(true), BlockOwnerDeletion: new(true),
	}
}
