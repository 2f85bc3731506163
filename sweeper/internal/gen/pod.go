package gen

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/quarantinedpods"
)

// Noon is when [Pod] expires.
var Noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Request is the request to reconcile [Pod].
var Request = reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "ah", Name: "web-1"}}

// Option changes a pod.
type Option func(*metav1.PartialObjectMetadata)

// Pod returns pod ah/web-1 with a complete record: quarantined an hour before [Noon].
func Pod(options ...Option) *metav1.PartialObjectMetadata {
	pod := quarantinedpods.New()
	pod.Namespace, pod.Name, pod.UID, pod.ResourceVersion = "ah", "web-1", "uid-1", "7"
	pod.Labels = map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}
	pod.Annotations = map[string]string{
		quarantine.TriggerKey:       quarantine.True,
		quarantine.QuarantinedAtKey: Noon.Add(-time.Hour).Format(time.RFC3339),
		quarantine.ExpiresAtKey:     Noon.Format(time.RFC3339),
		quarantine.QuarantinedByKey: "jane",
		quarantine.RecordKey:        "{}",
	}
	for _, option := range options {
		option(pod)
	}
	return pod
}

// Annotation sets an annotation.
func Annotation(key, value string) Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.Annotations[key] = value }
}

// Without removes a label or an annotation.
func Without(key string) Option {
	return func(pod *metav1.PartialObjectMetadata) {
		delete(pod.Labels, key)
		delete(pod.Annotations, key)
	}
}

// Namespace sets the namespace.
func Namespace(name string) Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.Namespace = name }
}

// UID sets the UID.
func UID(uid string) Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.UID = types.UID(uid) }
}

// Created sets the creationTimestamp.
func Created(at time.Time) Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.CreationTimestamp = metav1.Time{Time: at} }
}

// Held sets the hold.
func Held() Option { return Annotation(quarantine.HoldKey, quarantine.True) }

// QuarantinedFor sets the time of the quarantine to d before [Noon].
func QuarantinedFor(d time.Duration) Option {
	return Annotation(quarantine.QuarantinedAtKey, Noon.Add(-d).Format(time.RFC3339))
}

// OfReplicaSet gives the pod the record of a pod that ReplicaSet/web controlled.
func OfReplicaSet() Option {
	return Annotation(quarantine.RecordKey, `{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"set-1","controller":true}],`+
		`"detachedFrom":["Service/web","ReplicaSet/web"]}`)
}

// Terminating gives the pod a deletionTimestamp.
func Terminating(at time.Time) Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.DeletionTimestamp = &metav1.Time{Time: at} }
}

// Finalizers gives the pod finalizers.
func Finalizers(finalizers ...string) Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.Finalizers = finalizers }
}

// Released removes all labels and annotations.
func Released() Option {
	return func(pod *metav1.PartialObjectMetadata) { pod.Labels, pod.Annotations = nil, nil }
}
