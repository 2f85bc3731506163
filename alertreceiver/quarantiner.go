package alertreceiver

import (
	"context"
	"encoding/json"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
)

const (
	// maxAttempts is how often a pod is read again because it changed before the patch.
	maxAttempts = 5

	// callTimeout bounds one request to the API server, which waits at most 5 seconds for
	// isolate's webhook.
	callTimeout = 10 * time.Second
)

// Result is what became of an alert. The log and the metric have the same word.
type Result string

// The results.
const (
	// ResultQuarantined: the pod is quarantined now.
	ResultQuarantined Result = "Quarantined"
	// ResultAlreadyQuarantined: the pod was quarantined before; the alert is remembered.
	ResultAlreadyQuarantined Result = "AlreadyQuarantined"
	// ResultRepeated: this alert was acted on before, whether or not the pod was released
	// since.
	ResultRepeated Result = "Repeated"
	// ResultTerminating: the pod is being deleted.
	ResultTerminating Result = "Terminating"
	// ResultResolved: the alert no longer fires.
	ResultResolved Result = "Resolved"
	// ResultRefused: see the reason.
	ResultRefused Result = "Refused"
)

// Results returns all results.
func Results() []Result {
	return []Result{ResultQuarantined, ResultAlreadyQuarantined, ResultRepeated, ResultTerminating, ResultResolved, ResultRefused}
}

// quarantiner quarantines pods.
type quarantiner struct {
	// client has no cache: the receiver may list no pods.
	client client.Client
}

// podObject returns an object for the metadata of a pod.
func podObject() *metav1.PartialObjectMetadata {
	pod := &metav1.PartialObjectMetadata{}
	pod.SetGroupVersionKind(podKind)
	return pod
}

// read returns the pod's metadata.
func (q *quarantiner) read(ctx context.Context, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pod := podObject()
	return pod, q.client.Get(ctx, key, pod)
}

// quarantine quarantines the target's pod. The pod is nil if it could not be read.
//
// The pod is read first, because it remembers the alerts that were acted on. The patch
// names the version that was read. So of two replicas with the same alert one conflicts,
// and so does one that overlaps with a release: it reads the pod again, and finds the alert.
func (q *quarantiner) quarantine(ctx context.Context, t target) (Result, *metav1.PartialObjectMetadata, *refusal) {
	for attempt := 1; ; attempt++ {
		pod, err := q.read(ctx, t.pod)
		if err != nil {
			return ResultRefused, nil, refusedBy(err)
		}
		result, refused := t.judge(pod)
		if result != "" {
			return result, pod, refused
		}
		result, err = q.patch(ctx, t, pod)
		switch {
		case apierrors.IsConflict(err) && attempt < maxAttempts:
			continue
		case err != nil:
			return ResultRefused, pod, refusedBy(err)
		case !quarantined(pod):
			return ResultRefused, pod, permanent(ReasonNotQuarantined, messageNotQuarantined(t))
		}
		return result, pod, nil
	}
}

// judge returns the result for a pod that needs no patch, or "".
func (t *target) judge(pod *metav1.PartialObjectMetadata) (Result, *refusal) {
	acted := recall(pod.Annotations[quarantine.AlertsKey]).has(t.fingerprint, t.startsAt)
	switch {
	case t.uid != "" && pod.UID != t.uid:
		return ResultRefused, permanent(ReasonPodReplaced, messagePodReplaced(t, pod.UID))
	case pod.DeletionTimestamp != nil:
		return ResultTerminating, nil
	case !quarantined(pod) && pod.Annotations[quarantine.TriggerKey] == quarantine.True:
		return ResultRefused, permanent(ReasonTriggerIgnored, messageTriggerIgnored(t))
	case acted:
		return ResultRepeated, nil
	}
	return "", nil
}

// patch writes what the alert asks for, or only remembers the alert if the pod is
// quarantined already. It sets pod to the response.
func (q *quarantiner) patch(ctx context.Context, t target, pod *metav1.PartialObjectMetadata) (Result, error) {
	remembered, err := recall(pod.Annotations[quarantine.AlertsKey]).with(t.fingerprint, t.startsAt)
	if err != nil {
		return "", err
	}
	result, annotations := ResultAlreadyQuarantined, map[string]string{quarantine.AlertsKey: remembered}
	if !quarantined(pod) {
		result = ResultQuarantined
		annotations[quarantine.TriggerKey], annotations[quarantine.ReasonKey] = quarantine.True, t.text()
		if t.ttl != "" {
			annotations[quarantine.TTLKey] = t.ttl
		}
	}
	patch, err := json.Marshal(podPatch{patchMetadata{UID: pod.UID, ResourceVersion: pod.ResourceVersion, Annotations: annotations}})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return result, q.client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch))
}

// podPatch is the merge patch. Its UID and resourceVersion are preconditions.
type podPatch struct {
	Metadata patchMetadata `json:"metadata"`
}

type patchMetadata struct {
	UID             types.UID         `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Annotations     map[string]string `json:"annotations"`
}

func quarantined(pod *metav1.PartialObjectMetadata) bool {
	return pod.Labels[quarantine.QuarantinedLabel] == quarantine.QuarantinedValue
}
