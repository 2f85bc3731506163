package webhook

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
)

// review is an admission review. It decodes only the parts of the pods that the rules read:
// a general codec would scan every byte six times, which is most of an admission's cost.
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
	DryRun    bool                        `json:"dryRun"`
	UserInfo  struct {
		Username string `json:"username"`
	} `json:"userInfo"`
	Object *struct {
		Metadata objectMetadata `json:"metadata"`
	} `json:"object"`
	OldObject *quarantine.Pod `json:"oldObject"`
}

// objectMetadata has, in addition to what the rules read, the managedFields, which are
// only decoded for a denial.
type objectMetadata struct {
	quarantine.Metadata

	ManagedFields jsontext.Value `json:"managedFields"`
}

// likeAPIServer accepts what the API server accepts in objects. A check for duplicate names
// would remember all names of a forged review.
var likeAPIServer = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// decode decodes the review of a CREATE or an UPDATE.
func decode(body []byte) (*request, error) {
	var read review
	if err := json.Unmarshal(body, &read, likeAPIServer); err != nil {
		return nil, fmt.Errorf("decoding the review: %s", truncate(err.Error())) // It may quote the review.
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
	return read.Request, read.Request.checkLengths()
}
