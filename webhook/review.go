package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	kjson "sigs.k8s.io/json"

	"isolate.example.io/quarantine"
)

// maxReviewSize has room for two objects of the largest size that etcd stores, in
// JSON, and the rest of the review.
const maxReviewSize = 7 << 20

// review is an admission review that decodes of its pods only what the rules read. A
// general codec would scan every byte of them six times, most of the cost of an
// admission.
type review struct {
	Request *request `json:"request"`
}

type request struct {
	UID       types.UID                   `json:"uid"`
	Kind      metav1.GroupVersionKind     `json:"kind"`
	Resource  metav1.GroupVersionResource `json:"resource"`
	Name      string                      `json:"name"`
	Namespace string                      `json:"namespace"`
	Operation admissionv1.Operation       `json:"operation"`
	DryRun    *bool                       `json:"dryRun"`
	UserInfo  struct {
		Username string `json:"username"`
	} `json:"userInfo"`
	Object *struct {
		Metadata quarantine.Metadata `json:"metadata"`
	} `json:"object"`
	OldObject *quarantine.Pod `json:"oldObject"`
}

func (r *request) dryRun() bool { return ptr.Deref(r.DryRun, false) }

// read decodes the review of a CREATE or an UPDATE.
func read(w http.ResponseWriter, r *http.Request) (*request, error) {
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(min(r.ContentLength, maxReviewSize)) + bytes.MinRead)
	}
	if _, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, maxReviewSize)); err != nil {
		return nil, fmt.Errorf("reading the review: %w", err)
	}
	var read review
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body.Bytes(), &read); err != nil {
		return nil, fmt.Errorf("decoding the review: %w", err)
	}
	switch req := read.Request; {
	case req == nil:
		return nil, errors.New("decoding the review: it has no request")
	case req.Object == nil:
		return nil, errors.New("decoding the review: it has no object")
	case req.Operation == admissionv1.Create:
		req.OldObject = nil
	case req.OldObject == nil:
		return nil, errors.New("decoding the review: it has no oldObject")
	}
	return read.Request, nil
}
