package quarantine

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Request is the admission of a pod, with everything that a decision needs.
type Request struct {
	// Old is the stored pod, nil on CREATE. No requester can forge it, so records and
	// warnings come from here.
	Old *Pod

	// New is the metadata that the requester and the webhooks before this one want to
	// store.
	New *Metadata

	// User is the name of the requesting user.
	User string

	// Time is when the decision is made.
	Time time.Time

	// Selectors finds what selects pods in the pod's namespace.
	Selectors Selectors

	// NamespaceConfig are isolate's annotations of the pod's Namespace.
	NamespaceConfig map[string]string

	// Quarantined counts the quarantined pods of the namespace, without this one. It is
	// read only if the request is [Request.Triggered].
	Quarantined Count
}

// Triggered reports whether this write sets the trigger to "true" on an existing pod that
// is not terminating.
func (q *Request) Triggered() bool {
	return q.Old != nil && q.Old.DeletionTimestamp == nil && triggered(*q)
}

// Decision is the answer to a [Request].
type Decision struct {
	// Action says what the admission does to the pod.
	Action Action

	// Denial says why the request is refused, nil if it is allowed.
	Denial *Denial

	// Warnings are for the requester, the most important first.
	Warnings []string

	// Patch changes only metadata.
	Patch []Operation

	// DetachedFrom names what no longer selects or controls the pod.
	DetachedFrom []string

	// CountsFor is the UID of the controller for whose budget the quarantined pod
	// counts, or "".
	CountsFor types.UID
}

// Operation is an operation of a JSON patch (RFC 6902). Its Value encodes to the value in
// JSON.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Action is what an admission does. The log, the metrics and the audit log have the same
// word.
type Action string

// The actions.
const (
	// ActionNone admits the write unchanged.
	ActionNone Action = "None"
	// ActionQuarantine quarantines the pod.
	ActionQuarantine Action = "Quarantine"
	// ActionDetach detaches a quarantined pod again, from what has come to select it.
	ActionDetach Action = "Detach"
	// ActionExtend moves the expiry of a quarantined pod.
	ActionExtend Action = "Extend"
	// ActionRelease ends a quarantine.
	ActionRelease Action = "Release"
	// ActionDropAnnotations removes request annotations that were read or have no effect.
	ActionDropAnnotations Action = "DropAnnotations"
	// ActionDeny refuses the request.
	ActionDeny Action = "Deny"
)

// Reason is why a request is refused. The denial, the log, the metrics and the audit log
// have the same word.
type Reason string

// The reasons.
const (
	// ReasonInvalidValue: a request annotation has an invalid value.
	ReasonInvalidValue Reason = "InvalidValue"
	// ReasonMisplacedKey: one of isolate's annotations was set as a label, or its label
	// as an annotation.
	ReasonMisplacedKey Reason = "MisplacedKey"
	// ReasonCreatedQuarantined: a pod can't be created with the label.
	ReasonCreatedQuarantined Reason = "CreatedQuarantined"
	// ReasonInescapable: a selector matches whatever the pod's labels are.
	ReasonInescapable Reason = "Inescapable"
	// ReasonAnnotationsTooLarge: with the record, the annotations exceed the API server's limit.
	ReasonAnnotationsTooLarge Reason = "AnnotationsTooLarge"
	// ReasonReattached: something that runs after isolate's webhook attaches the pod again.
	ReasonReattached Reason = "Reattached"
	// ReasonRecordProtected: only isolate writes the record.
	ReasonRecordProtected Reason = "RecordProtected"
	// ReasonHeld: the controller may delete the held pod once it is released.
	ReasonHeld Reason = "Held"
	// ReasonMirrorPod: the kubelet runs a static pod from a file and ignores its labels.
	ReasonMirrorPod Reason = "MirrorPod"
	// ReasonStatefulSet: the replacement needs the pod's name.
	ReasonStatefulSet Reason = "StatefulSet"
	// ReasonHostPort: the replacement needs the pod's host port.
	ReasonHostPort Reason = "HostPort"
	// ReasonControllerBudget: the budget of the pod's controller is used up.
	ReasonControllerBudget Reason = "ControllerBudget"
	// ReasonNamespaceBudget: the budget of the pod's namespace is used up.
	ReasonNamespaceBudget Reason = "NamespaceBudget"
	// ReasonUnknownController: isolate does not know this kind of controller.
	ReasonUnknownController Reason = "UnknownController"
)

// Denial is the refusal of a request: a 422 if Invalid lists the fields to correct, else
// a 403.
type Denial struct {
	Reason  Reason
	Message string
	Invalid field.ErrorList

	// Field is the path of the field that a 403 is about.
	Field string
}

func denied(denial *Denial) Decision { return Decision{Action: ActionDeny, Denial: denial} }

func invalid(reason Reason, errs ...*field.Error) Decision {
	return denied(&Denial{Reason: reason, Invalid: errs})
}

func forbidden(reason Reason, path *field.Path, message string) Decision {
	return denied(&Denial{Reason: reason, Message: message, Field: path.String()})
}

var metadataPath = field.NewPath("metadata")

func annotationPath(key string) *field.Path { return metadataPath.Child("annotations").Key(key) }

func labelPath(key string) *field.Path { return metadataPath.Child("labels").Key(key) }
