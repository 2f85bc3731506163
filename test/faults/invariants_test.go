package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/audit"
	"isolate.example.io/test/framework/waiting"
)

// grace is how long after the recovery of the control plane something may be overdue, or still selected.
const grace = time.Minute

// protection is why a pod must exist.
type protection struct {
	name    string
	held    bool
	expires time.Time
}

// protect records what protects a quarantined pod, as the API server has stored it.
func (s *scenario) protect(pod *corev1.Pod) {
	status := quarantine.StatusOf(pod.Labels, pod.Annotations)
	if pod.DeletionTimestamp != nil || status.State != quarantine.Quarantined {
		return
	}
	s.setProtection(&pod.ObjectMeta, protection{name: pod.Name, held: status.Held, expires: status.ExpiresAt})
}

func (s *scenario) setProtection(pod *metav1.ObjectMeta, p protection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protected[string(pod.UID)] = p
}

func (s *scenario) protectionOf(pod *metav1.ObjectMeta) protection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.protected[string(pod.UID)]
}

// withinGrace waits until the function returns no error.
func (s *scenario) withinGrace(what string, problem func(ctx context.Context) error) {
	s.Helper()
	var last error
	err := wait.PollUntilContextTimeout(s.Context(), waiting.Interval, time.Until(s.healed.Add(grace)), true, func(ctx context.Context) (bool, error) {
		found := problem(ctx)
		if ctx.Err() == nil {
			last = found
		}
		return found == nil, nil
	})
	require.NoError(s, err, "not within %s: %s: %v", grace, what, last)
}

// controlPlaneAnswers waits until the control plane works again: a program that was killed has
// to start first, and on a machine that is busy that takes a while.
func (s *scenario) controlPlaneAnswers() {
	s.Helper()
	const quickly, often = time.Second, 5
	waiting.NoError(s, func() error {
		for range often {
			ctx, cancel := context.WithTimeout(s.Context(), quickly)
			_, err := s.client.CoreV1().ConfigMaps(s.namespace).Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"},
			}, metav1.CreateOptions{})
			cancel()
			if err != nil {
				return err
			}
		}
		return nil
	}, "the control plane answers within %s", quickly)
}

// nothingOverdue requires that every expired pod is deleted.
func (s *scenario) nothingOverdue() {
	s.Helper()
	s.withinGrace("no pod is overdue", func(ctx context.Context) error {
		pods, err := s.quarantinedPods(ctx)
		for _, pod := range pods {
			verdict, status := quarantine.VerdictOf(&pod.ObjectMeta, time.Now())
			if verdict == quarantine.VerdictExpired {
				return fmt.Errorf("pod %s expired at %s", pod.Name, status.ExpiresAt)
			}
		}
		return err
	})
}

func (s *scenario) everyReplicaIsReady() {
	s.Helper()
	s.withinGrace("every replica is ready", func(ctx context.Context) error {
		for _, program := range []string{"webhook", "sweeper"} {
			running := s.replicas(program)
			if len(running) != replicas {
				return fmt.Errorf("%d replicas of the %s run", len(running), program)
			}
			for _, p := range running {
				if !p.Ready(ctx) {
					return fmt.Errorf("%s is not ready", name(p))
				}
			}
		}
		return nil
	})
}

// everyPodIsIsolated requires that no quarantined pod is selected or owned.
func (s *scenario) everyPodIsIsolated() {
	s.Helper()
	s.withinGrace("nothing selects a quarantined pod", func(ctx context.Context) error {
		pods, err := s.quarantinedPods(ctx)
		if err != nil {
			return err
		}
		services, err := s.client.CoreV1().Services(s.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, pod := range pods {
			if status := quarantine.StatusOf(pod.Labels, pod.Annotations); status.State != quarantine.Quarantined {
				return fmt.Errorf("pod %s is %v: %w", pod.Name, status.State, status.Problem)
			}
			if len(pod.OwnerReferences) > 0 || strings.HasPrefix(pod.Labels["app"], "app-") {
				return fmt.Errorf("pod %s has the owners %v and the labels %v", pod.Name, pod.OwnerReferences, pod.Labels)
			}
			for _, service := range services.Items {
				if labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
					return fmt.Errorf("service %s selects pod %s", service.Name, pod.Name)
				}
			}
		}
		return nil
	})
}

func (s *scenario) quarantinedPods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := s.client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: quarantine.QuarantinedLabel})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// everyDeletionWasDue requires that isolate has deleted each pod once, and only pods that had
// expired by the API server's clock and were not held. The audit log has the very object.
func (s *scenario) everyDeletionWasDue() {
	s.Helper()
	times := map[string]int{}
	for entry, pod := range s.deletedBy(sweeperUser) {
		s.counts.deletions.Add(1)
		times[string(pod.UID)]++
		status := quarantine.StatusOf(pod.Labels, pod.Annotations)
		require.Equal(s, quarantine.Quarantined, status.State, "deleted: %+v", pod)
		require.False(s, status.Held, "deleted: %+v", pod)
		require.False(s, entry.RequestReceivedTimestamp.Before(status.ExpiresAt), "deleted at %s: %+v", entry.RequestReceivedTimestamp, pod)
		require.Equal(s, 1, times[string(pod.UID)], "deleted again: %+v", pod)
	}
}

// deletedBy returns the successful deletions of the scenario's pods by users whose name begins
// like this, and the pod as it was deleted.
func (s *scenario) deletedBy(user string) iter.Seq2[audit.Entry, metav1.PartialObjectMetadata] {
	s.Helper()
	entries, err := s.deletions.Entries()
	require.NoError(s, err)
	return func(yield func(audit.Entry, metav1.PartialObjectMetadata) bool) {
		for _, entry := range entries {
			if entry.ObjectRef.Namespace != s.namespace || entry.ResponseStatus.Code != http.StatusOK || !strings.HasPrefix(entry.User.Username, user) {
				continue
			}
			var pod metav1.PartialObjectMetadata
			require.NoError(s, json.Unmarshal(entry.ResponseObject, &pod))
			if !yield(entry, pod) {
				return
			}
		}
	}
}

// everyProtectedPodExists requires that no other way of deleting was found either. A
// ReplicaSet's controller may have decided to delete a pod just before it was quarantined.
func (s *scenario) everyProtectedPodExists() {
	s.Helper()
	byController := map[string]bool{}
	for _, pod := range s.deletedBy(controllers) {
		byController[string(pod.UID)] = true
	}
	s.mu.Lock()
	protected := s.protected
	s.mu.Unlock()
	for uid, p := range protected {
		if byController[uid] || !p.held && !p.expires.After(time.Now()) {
			continue
		}
		pod, err := s.client.CoreV1().Pods(s.namespace).Get(s.Context(), p.name, metav1.GetOptions{})
		require.NoError(s, err, "%+v", p)
		require.Equal(s, uid, string(pod.UID))
		require.Nil(s, pod.DeletionTimestamp, "%+v", p)
	}
}

// cleanUp deletes the namespace and waits until it is gone. KWOK does not repeat the last
// deletion of a terminating pod if etcd failed meanwhile (seen), so pods are deleted at once.
func (s *scenario) cleanUp() {
	s.Helper()
	namespaces := s.client.CoreV1().Namespaces()
	waiting.NoError(s, func() error {
		_, err := namespaces.Get(s.Context(), s.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("the namespace exists"), err,
			namespaces.Delete(s.Context(), s.namespace, metav1.DeleteOptions{}),
			s.client.CoreV1().Pods(s.namespace).DeleteCollection(s.Context(), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}, metav1.ListOptions{}))
	}, "the namespace is gone")
}
