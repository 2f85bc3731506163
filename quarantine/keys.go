package quarantine

// Domain prefixes every key of isolate. It can't be configured: policies,
// matchConditions and NetworkPolicies name these keys literally.
const Domain = "isolate.example.io/"

// Requests: annotations that people and tools write.
const (
	// TriggerKey quarantines the pod when its value turns "true", and releases
	// it when it turns "false" or goes. The webhook reads it; release removes it.
	TriggerKey = Domain + "quarantine"

	// TTLKey says how long to keep the pod once it is quarantined, as a
	// Prometheus duration (90s, 36h, 7d, 1d12h). The webhook reads it when the
	// pod is quarantined; release removes it.
	TTLKey = Domain + "ttl"

	// ExtendKey asks to keep a quarantined pod at least so long from now, in the
	// format of [TTLKey]. The webhook reads it and removes it in the same
	// admission, so that asking again always counts.
	ExtendKey = Domain + "extend"

	// HoldKey set to "true" keeps the sweeper from deleting the pod, until it is
	// gone or "false". The sweeper reads it; release removes it.
	HoldKey = Domain + "hold"

	// ReasonKey says why the pod is quarantined: free text of at most
	// [MaxReasonLength] characters, for people. Release removes it.
	ReasonKey = Domain + "reason"

	// ForceKey set to "true" goes ahead where a rule refuses and names force as
	// the way past. The webhook reads it and removes it in the same admission.
	ForceKey = Domain + "force"

	// RecheckKey is the sweeper's request to look at a quarantined pod again. The
	// webhook removes it in the same admission.
	RecheckKey = Domain + "recheck"
)

// The record: written by the webhook alone, removed at release.
const (
	// QuarantinedLabel marks a quarantined pod. Its value is always [QuarantinedValue]: caches
	// and NetworkPolicies select on it, and unique label values are costly.
	QuarantinedLabel = Domain + "quarantined"

	// QuarantinedAtKey is the annotation that says when the pod was quarantined:
	// RFC 3339, UTC, whole seconds.
	QuarantinedAtKey = Domain + "quarantined-at"

	// ExpiresAtKey is the annotation that says when the sweeper deletes the pod:
	// RFC 3339, UTC, rounded up to whole seconds.
	ExpiresAtKey = Domain + "expires-at"

	// QuarantinedByKey is the annotation with the name of the user who asked, as
	// the admission request has it.
	QuarantinedByKey = Domain + "quarantined-by"

	// RecordKey is the annotation with the [Record] in JSON.
	RecordKey = Domain + "record"
)

// Settings: annotations of a Namespace, which count for its pods in place of the
// webhook's flags. Whoever may update the Namespace writes them; the webhook reads
// them at each admission. A value that can't be read is reported and the flag counts.
const (
	// DefaultTTLKey is how long a pod is kept unless its ttl says otherwise, in the
	// format of [TTLKey].
	DefaultTTLKey = Domain + "default-ttl"

	// MaxTTLKey is the longest that a ttl or an extend may ask for, in the format of
	// [TTLKey].
	MaxTTLKey = Domain + "max-ttl"

	// ControllerBudgetKey is how many pods of one controller may be quarantined at
	// a time: a whole number, 0 for no limit.
	ControllerBudgetKey = Domain + "controller-budget"

	// NamespaceBudgetKey is how many pods of the namespace may be quarantined at a
	// time: a whole number, 0 for no limit.
	NamespaceBudgetKey = Domain + "namespace-budget"
)

// Values of the keys above.
const (
	// QuarantinedValue is the one value of [QuarantinedLabel].
	QuarantinedValue = "true"

	// True turns a switch on: trigger, hold and force.
	True = "true"
	// False turns the trigger or the hold off, as removing it does.
	False = "false"

	// MaxReasonLength bounds [ReasonKey], in characters.
	MaxReasonLength = 1024
)

// Keys of others that a quarantine touches and a release puts back.
const (
	// InstanceLabel is by what Argo CD and Helm know their objects. It is
	// rewritten with the selectors' keys: Argo CD could otherwise prune a pod
	// that no longer has an owner.
	InstanceLabel = "app.kubernetes.io/instance"

	// ArgoTrackingKey is Argo CD's other way to know its objects.
	ArgoTrackingKey = "argocd.argoproj.io/tracking-id"

	// KarpenterHint keeps Karpenter from disrupting the pod's node.
	KarpenterHint = "karpenter.sh/do-not-disrupt"

	// AutoscalerHint keeps the cluster autoscaler from evicting the pod.
	AutoscalerHint = "cluster-autoscaler.kubernetes.io/safe-to-evict"
)
