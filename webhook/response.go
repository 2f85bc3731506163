package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/quarantine"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Keys of the audit annotations. The API server prefixes them with the name of
// the webhook.
const (
	auditAction = "action"
	auditReason = "reason"
	auditLetGo  = "let-go"
)

// notDecided tells why nothing could be decided. The API server shows it to
// whoever asked.
func notDecided(err error) error {
	return fmt.Errorf("isolate can't tell yet what selects this pod, nothing was changed; try again: %w", err)
}

// respond turns a decision into the answer to its review.
func respond(review admission.Request, decision quarantine.Decision) admission.Response {
	response := admission.Response{
		Patches: decision.Patch,
		AdmissionResponse: admissionv1.AdmissionResponse{
			Allowed:          decision.Denial == nil,
			Warnings:         decision.Warnings,
			AuditAnnotations: map[string]string{auditAction: string(decision.Action)},
		},
	}
	if len(decision.LetGo) > 0 {
		response.AuditAnnotations[auditLetGo] = strings.Join(decision.LetGo, ",")
	}
	if decision.Denial != nil {
		response.AuditAnnotations[auditReason] = string(decision.Denial.Reason)
		response.Result = status(review, decision.Denial)
	}
	return response
}

// status is a denial as the API has it: code, reason and, for machines, a cause
// that names the field and the reason.
func status(review admission.Request, denial *quarantine.Denial) *metav1.Status {
	if len(denial.Invalid) > 0 {
		kind := schema.GroupKind{Group: review.Kind.Group, Kind: review.Kind.Kind}
		return &apierrors.NewInvalid(kind, review.Name, denial.Invalid).ErrStatus
	}
	resource := schema.GroupResource{Group: review.Resource.Group, Resource: review.Resource.Resource}
	result := apierrors.NewForbidden(resource, review.Name, errors.New(denial.Message)).ErrStatus
	result.Code = http.StatusForbidden
	result.Details.Causes = []metav1.StatusCause{{
		Type:    metav1.CauseType(denial.Reason),
		Message: denial.Message,
		Field:   denial.Field,
	}}
	return &result
}
