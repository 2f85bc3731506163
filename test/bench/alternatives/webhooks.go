package alternatives

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	kjson "sigs.k8s.io/json"

	"isolate.example.io/certs"
	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
	"isolate.example.io/test/gen/workload"
)

// The URL paths of the webhooks. Only the floor has the one that checks.
const (
	Path      = "/mutate"
	CheckPath = "/check"
)

// serve serves a webhook exactly like isolate's.
func serve(mgr manager.Manager, o options, handlers map[string]http.Handler) error {
	hooks := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: o.port, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate(o.certDir) }
		c.NextProtos = []string{"http/1.1"}
		c.MinVersion = tls.VersionTLS13
	}}})
	for path, handler := range handlers {
		hooks.Register(path, handler)
	}
	return mgr.Add(hooks)
}

func certificate(dir string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certs.CertFile), filepath.Join(dir, certs.KeyFile))
	return &pair, err
}

// addFloor adds the minimal webhook: it decodes the review for its UID and answers with
// a constant patch, as large as isolate's, or allows what it is asked to check.
func addFloor(mgr manager.Manager, o options) error {
	patch, err := readyMade()
	if err != nil {
		return err
	}
	return serve(mgr, o, map[string]http.Handler{
		Path:      answer(admissionv1.AdmissionResponse{Allowed: true, Patch: patch, PatchType: ptr.To(admissionv1.PatchTypeJSONPatch)}),
		CheckPath: answer(admissionv1.AdmissionResponse{Allowed: true}),
	})
}

// answer gives every review the same response.
func answer(response admissionv1.AdmissionResponse) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answered := response
		answered.UID = review.Request.UID
		review.Request, review.Response = nil, &answered
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review) // The API server reports a failure.
	})
}

// readyMade returns isolate's patch for a pod of a workload with one Service.
func readyMade() ([]byte, error) {
	app := workload.App{Namespace: "bench", Number: 1}
	pod := app.Pod("floor")
	old := &quarantine.Pod{Metadata: quarantine.Metadata{
		Name: pod.Name, Labels: pod.Labels, Annotations: pod.Annotations, OwnerReferences: pod.OwnerReferences,
	}}
	updated := old.Metadata
	updated.Annotations = map[string]string{quarantine.TriggerKey: quarantine.True}
	maps.Copy(updated.Annotations, pod.Annotations)
	rules := quarantine.DefaultConfig()
	decision := rules.Decide(quarantine.Request{
		Old: old, New: &updated, User: "kubernetes-admin", Time: time.Now(), Selectors: workload.Selectors(app), Quarantined: nobody{},
	})
	return json.Marshal(decision.Patch)
}

// nobody counts no quarantined pods: budgets are off.
type nobody struct{}

// Controlled implements [quarantine.Count].
func (nobody) Controlled(...types.UID) quarantine.PodCount { return quarantine.PodCount{} }

// All implements [quarantine.Count].
func (nobody) All() quarantine.PodCount { return quarantine.PodCount{} }

// defaulter makes isolate's decision and applies it to a typed pod, from which
// controller-runtime computes the patch.
type defaulter struct {
	rules   quarantine.Config
	watcher *selectors.Watcher
}

func addDefaulter(mgr manager.Manager, o options) error {
	watcher, err := selectors.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	d := &defaulter{rules: quarantine.DefaultConfig(), watcher: watcher}
	if err := mgr.Add(d.watcher); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("selectors", d.watcher.Ready); err != nil {
		return err
	}
	return serve(mgr, o, map[string]http.Handler{Path: admission.WithDefaulter(mgr.GetScheme(), d)})
}

// Default implements [admission.Defaulter].
func (d *defaulter) Default(ctx context.Context, pod *corev1.Pod) error {
	req, err := admission.RequestFromContext(ctx)
	if err != nil {
		return err
	}
	stored := &quarantine.Pod{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(req.OldObject.Raw, stored); err != nil {
		return err
	}
	known, err := d.watcher.Namespace(req.Namespace)
	if err != nil {
		return err
	}
	decision := d.rules.Decide(quarantine.Request{
		Old: stored,
		New: &quarantine.Metadata{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID,
			Labels: pod.Labels, Annotations: pod.Annotations, OwnerReferences: pod.OwnerReferences,
		},
		User: req.UserInfo.Username, Time: time.Now(), Selectors: known, Quarantined: nobody{},
	})
	for _, operation := range decision.Patch {
		change(pod, operation)
	}
	return nil
}

// change applies a JSON patch operation to a typed pod.
func change(pod *corev1.Pod, operation quarantine.Operation) {
	path := strings.Split(operation.Path, "/")
	if path[2] == "ownerReferences" {
		pod.OwnerReferences = nil
		return
	}
	changed := &pod.Labels
	if path[2] == "annotations" {
		changed = &pod.Annotations
	}
	if *changed == nil {
		*changed = map[string]string{}
	}
	if len(path) == 3 {
		return
	}
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[3])
	if value, ok := operation.Value.(*string); ok {
		(*changed)[key] = *value
	} else {
		delete(*changed, key)
	}
}
