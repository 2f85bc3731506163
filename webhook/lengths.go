package webhook

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// maxUIDLength leaves room beyond the API server's own UIDs, which are UUIDs of 36
	// bytes.
	maxUIDLength = 128

	// maxUserLength is far above the longest names of ServiceAccounts and certificates.
	// The API server does not bound the names that an authenticator returns.
	maxUserLength = 1024
)

// bounded is a field of a request and the most bytes that it can have.
type bounded struct {
	path, value string
	most        int
}

// checkLengths returns an error that names the first field that is longer than it can
// be in a review of the API server. Anyone who reaches the port can send reviews, and
// these fields are logged or kept.
func (r *request) checkLengths() error {
	fields := []bounded{
		{"uid", string(r.UID), maxUIDLength},
		{"namespace", r.Namespace, validation.DNS1123LabelMaxLength},
		{"name", r.Name, validation.DNS1123SubdomainMaxLength},
		{"userInfo.username", r.UserInfo.Username, maxUserLength},
		{"object.metadata.uid", string(r.Object.Metadata.UID), maxUIDLength},
	}
	if r.OldObject != nil {
		fields = append(fields,
			bounded{"oldObject.metadata.uid", string(r.OldObject.UID), maxUIDLength},
			bounded{"oldObject.metadata.namespace", r.OldObject.Namespace, validation.DNS1123LabelMaxLength},
			bounded{"oldObject.metadata.name", r.OldObject.Name, validation.DNS1123SubdomainMaxLength})
	}
	for _, field := range fields {
		if len(field.value) > field.most {
			return fmt.Errorf("decoding the review: request.%s has %d bytes, more than the %d that it can have", field.path, len(field.value), field.most)
		}
	}
	return nil
}
