package workload

import (
	"encoding/json"
	"maps"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Review returns the AdmissionReview for setting these annotations on a running pod of
// the app, about 15 KB.
func (a App) Review(annotations map[string]string) ([]byte, error) {
	stored := Run(a.Pod("payments-0"))
	stored.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	stored.UID = "3f1c9a54-8d0f-4a4e-9d0c-2f9f5f6a7b8c"
	stored.ResourceVersion = "123456"
	stored.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour))
	updated := stored.DeepCopy()
	maps.Copy(updated.Annotations, annotations)
	before, err := json.Marshal(stored)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(updated)
	if err != nil {
		return nil, err
	}
	pods := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	dryRun := false
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "705ab4f5-6393-11e8-b7cc-42010a800002", Kind: kind, RequestKind: &kind, Resource: pods, RequestResource: &pods,
			Name: stored.Name, Namespace: stored.Namespace, Operation: admissionv1.Update, DryRun: &dryRun,
			UserInfo:  authenticationv1.UserInfo{Username: "jane@example.com", Groups: []string{"sre", "system:authenticated"}},
			Object:    runtime.RawExtension{Raw: after},
			OldObject: runtime.RawExtension{Raw: before},
			Options:   runtime.RawExtension{Raw: []byte(`{"kind":"PatchOptions","apiVersion":"meta.k8s.io/v1","fieldManager":"kubectl-annotate"}`)},
		},
	})
}
