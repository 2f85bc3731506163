package quarantine

// Domain is the prefix of all of isolate's keys. It can't be configured: policies,
// matchConditions and NetworkPolicies name the keys literally.
const Domain = "isolate.example.io/"

// Requests: annotations that people and tools write.
const (
	// TriggerKey quarantines the pod when its value changes to "true", and releases it
	// when its value changes to "false" or it is removed. The webhook reads it; a
	// release removes it.
	TriggerKey = Domain + "quarantine"

	// TTLKey says how long isolate keeps the quarantined pod, as a Prometheus duration
	// (90s, 36h, 7d, 1d12h). The webhook reads it when it quarantines the pod; a
	// release removes it.
	TTLKey = Domain + "ttl"

	// ExtendKey asks isolate to keep a quarantined pod at least this long from now, in
	// the format of [TTLKey]. The webhook reads it and removes it in the same admission,
	// so repeating it always works.
	ExtendKey = Domain + "extend"

	// HoldKey with the value "true" keeps the sweeper from deleting the pod until it is
	// removed or "false". The sweeper reads it; a release removes it.
	HoldKey = Domain + "hold"

	// ReasonKey says why the pod is quarantined: free text of at most
	// [MaxReasonLength] characters, for people. A release removes it.
	ReasonKey = Domain + "reason"

	// ForceKey with the value "true" proceeds despite a refusal, if force passes it. The
	// webhook reads it and removes it in the same admission.
	ForceKey = Domain + "force"

	// RecheckKey is the sweeper's request to check a quarantined pod again. The webhook
	// removes it in the same admission.
	RecheckKey = Domain + "recheck"
)

// The record: only the webhook writes it, and a release removes it.
const (
	// QuarantinedLabel marks a quarantined pod. Its value is always [QuarantinedValue]:
	// caches and NetworkPolicies select by it, and unique label values are costly.
	QuarantinedLabel = Domain + "quarantined"

	// QuarantinedAtKey is the annotation with the time of the quarantine: RFC 3339, UTC,
	// whole seconds.
	QuarantinedAtKey = Domain + "quarantined-at"

	// ExpiresAtKey is the annotation with the time at which the sweeper deletes the pod:
	// RFC 3339, UTC, rounded up to whole seconds.
	ExpiresAtKey = Domain + "expires-at"

	// QuarantinedByKey is the annotation with the name of the requesting user, from the
	// admission request.
	QuarantinedByKey = Domain + "quarantined-by"

	// RecordKey is the annotation with the [Record], in JSON.
	RecordKey = Domain + "record"
)

// UnrestoredKey is the annotation with what a release could not restore, as JSON: labels,
// annotations and ownerReferences. A release writes it; anyone may read and remove it.
const UnrestoredKey = Domain + "unrestored"

// AlertsKey is the annotation with the alerts that the alert receiver has acted on, as JSON:
// the start time of each, by its fingerprint. The alert receiver writes it, and the webhook
// ignores it, so it outlives a release: an alert that is still firing then must not
// quarantine the pod again.
const AlertsKey = Domain + "alerts"

// Namespace settings: annotations of a Namespace that override the webhook's flags for
// its pods. Anyone who may update the Namespace may set them; the webhook reads them at
// each admission. It reports an invalid value and uses the flag's.
const (
	// DefaultTTLKey says how long a pod without a ttl is kept, in the format of
	// [TTLKey].
	DefaultTTLKey = Domain + "default-ttl"

	// MaxTTLKey is the longest ttl or extend, in the format of [TTLKey].
	MaxTTLKey = Domain + "max-ttl"

	// ControllerBudgetKey limits how many pods of one controller are quarantined at a
	// time: a whole number, 0 for no limit.
	ControllerBudgetKey = Domain + "controller-budget"

	// NamespaceBudgetKey limits how many pods of the namespace are quarantined at a time:
	// a whole number, 0 for no limit.
	NamespaceBudgetKey = Domain + "namespace-budget"
)

// Values of the keys above.
const (
	// QuarantinedValue is the only value of [QuarantinedLabel].
	QuarantinedValue = "true"

	// True turns on the trigger, hold or force.
	True = "true"
	// False turns off the trigger or the hold, as removing it does.
	False = "false"

	// MaxReasonLength bounds [ReasonKey], in characters.
	MaxReasonLength = 1024
)

// Keys of other projects that a quarantine changes and a release restores.
const (
	// InstanceLabel is the label by which Argo CD and Helm identify their objects. A
	// quarantine always rewrites it: Argo CD could otherwise prune a pod that no longer
	// has an owner.
	InstanceLabel = "app.kubernetes.io/instance"

	// ArgoTrackingKey is the annotation by which Argo CD identifies its objects. A
	// quarantine removes it.
	ArgoTrackingKey = "argocd.argoproj.io/tracking-id"

	// KarpenterHint with the value "true" keeps Karpenter from disrupting the pod's node.
	KarpenterHint = "karpenter.sh/do-not-disrupt"

	// AutoscalerHint with the value "false" keeps the cluster autoscaler from evicting
	// the pod.
	AutoscalerHint = "cluster-autoscaler.kubernetes.io/safe-to-evict"
)
