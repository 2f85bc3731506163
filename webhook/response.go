package webhook

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
)

// Keys of the audit annotations. The API server prefixes them with the name of
// the webhook.
const (
	auditAction       = "action"
	auditReason       = "reason"
	auditDetachedFrom = "detached-from"
)

// respond returns the response with a decision.
func respond(req *request, decision quarantine.Decision) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{
		Allowed:          decision.Denial == nil,
		Warnings:         decision.Warnings,
		AuditAnnotations: map[string]string{auditAction: string(decision.Action)},
	}
	if len(decision.DetachedFrom) > 0 {
		response.AuditAnnotations[auditDetachedFrom] = strings.Join(decision.DetachedFrom, ",")
	}
	if decision.Denial != nil {
		response.AuditAnnotations[auditReason] = string(decision.Denial.Reason)
		response.Result = status(req, decision.Denial)
	}
	if len(decision.Patch) > 0 {
		patch, err := json.Marshal(decision.Patch)
		if err != nil {
			return errored(err)
		}
		response.Patch, response.PatchType = patch, ptr.To(admissionv1.PatchTypeJSONPatch)
	}
	return response
}

// errored returns the response to a review that could not be decided.
func errored(err error) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{Code: http.StatusInternalServerError, Message: err.Error()}}
}

// status returns a denial in the form of the API: code, reason and, for machines, a
// cause with the field and the reason.
func status(req *request, denial *quarantine.Denial) *metav1.Status {
	if len(denial.Invalid) > 0 {
		kind := schema.GroupKind{Group: req.Kind.Group, Kind: req.Kind.Kind}
		return &apierrors.NewInvalid(kind, req.Name, denial.Invalid).ErrStatus
	}
	resource := schema.GroupResource{Group: req.Resource.Group, Resource: req.Resource.Resource}
	result := apierrors.NewForbidden(resource, req.Name, errors.New(denial.Message)).ErrStatus
	result.Code = http.StatusForbidden
	result.Details.Causes = []metav1.StatusCause{{
		Type:    metav1.CauseType(denial.Reason),
		Message: denial.Message,
		Field:   denial.Field,
	}}
	return &result
}
