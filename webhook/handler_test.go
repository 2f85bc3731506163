package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// stored is a pod with fields that no client knows, in every place.
const stored = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","uid":"pod-uid",
	"labels":{"app":"web","team":"a"},"future":{"x":[1,2.50,12345678901234567890]},
	"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"rs-uid","controller":true,"future":1}]},
	"spec":{"containers":[{"name":"web","image":"web","future":{"a":null}}],"future":"x"},"status":{"phase":"Running","future":true}}`

// unavailable is an index that isn't complete.
type unavailable struct{ error }

func (u unavailable) Namespace(string) (quarantine.Selectors, error) { return nil, u.error }

// ready is an index that is always complete.
type ready struct{ *selectors.Index }

func newHandler(t *testing.T) *Handler {
	t.Helper()
	index := selectors.NewIndex()
	byApp, _ := labels.SelectorFromSet(labels.Set{"app": "web"}).Requirements()
	index.Set("shop", &quarantine.Selector{Kind: quarantine.KindService, Name: "web", Requirements: byApp})
	index.Set("shop", &quarantine.Selector{Kind: quarantine.KindReplicaSet, Name: "web", UID: "rs-uid", Requirements: byApp, Desired: 1})
	return &Handler{
		Rules:     quarantine.DefaultRules(),
		Selectors: ready{index},
		Clock:     testclock.NewFakePassiveClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		Metrics:   NewMetrics(prometheus.NewRegistry()),
	}
}

// review is an update that sets these annotations.
func review(annotations map[string]string) admission.Request {
	data, err := json.Marshal(annotations)
	if err != nil {
		panic(err)
	}
	updated := strings.Replace(stored, `"labels"`, `"annotations":`+string(data)+`,"labels"`, 1)
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "review-uid", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Name:     "web", Namespace: "shop", Operation: admissionv1.Update,
		UserInfo:  authenticationv1.UserInfo{Username: "jane"},
		Object:    runtime.RawExtension{Raw: []byte(updated)},
		OldObject: runtime.RawExtension{Raw: []byte(stored)},
	}}
}

var trigger = map[string]string{quarantine.TriggerKey: "true"}

func TestFieldsThatNoClientKnowsStayAsTheyAre(t *testing.T) {
	req := review(trigger)
	response := newHandler(t).Handle(t.Context(), req)
	require.True(t, response.Allowed)

	ops, err := json.Marshal(response.Patches)
	require.NoError(t, err)
	patch, err := jsonpatch.DecodePatch(ops)
	require.NoError(t, err)
	patched, err := patch.Apply(req.Object.Raw)
	require.NoError(t, err)
	for _, operation := range response.Patches {
		require.Regexp(t, "^/metadata/(labels|annotations|ownerReferences)", operation.Path)
	}
	var before, after map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(req.Object.Raw, &before))
	require.NoError(t, json.Unmarshal(patched, &after))
	require.Equal(t, string(before["spec"]), string(after["spec"]))
	require.Equal(t, string(before["status"]), string(after["status"]))
	require.Contains(t, string(after["metadata"]), `{"x":[1,2.50,12345678901234567890]}`)
}

func TestAQuarantineIsPatchedWarnedOfAndAudited(t *testing.T) {
	handler := newHandler(t)
	response := handler.Handle(t.Context(), review(trigger))
	require.True(t, response.Allowed)
	require.NotEmpty(t, response.Patches)
	require.Contains(t, response.Warnings[0], "Service/web")
	require.Equal(t, map[string]string{"action": "Quarantine", "let-go": "Service/web,ReplicaSet/web"}, response.AuditAnnotations)
	require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.decisions.WithLabelValues("Quarantine", "")), 0)
}

func TestABadValueIsA422ThatNamesTheField(t *testing.T) {
	response := newHandler(t).Handle(t.Context(), review(map[string]string{quarantine.TTLKey: "soon"}))
	require.False(t, response.Allowed)
	require.Equal(t, int32(http.StatusUnprocessableEntity), response.Result.Code)
	require.Equal(t, metav1.StatusReasonInvalid, response.Result.Reason)
	require.Equal(t, "metadata.annotations[isolate.example.io/ttl]", response.Result.Details.Causes[0].Field)
	require.Equal(t, metav1.CauseTypeFieldValueInvalid, response.Result.Details.Causes[0].Type)
	require.Contains(t, response.Result.Message, `Pod "web" is invalid: metadata.annotations[isolate.example.io/ttl]: Invalid value: "soon"`)
	require.Equal(t, map[string]string{"action": "Deny", "reason": "InvalidValue"}, response.AuditAnnotations)
}

func TestARefusalIsA403ThatMachinesCanRead(t *testing.T) {
	handler := newHandler(t)
	response := handler.Handle(t.Context(), review(map[string]string{quarantine.RecordKey: "{}"}))
	require.False(t, response.Allowed)
	require.Equal(t, int32(http.StatusForbidden), response.Result.Code)
	require.Equal(t, metav1.StatusReasonForbidden, response.Result.Reason)
	require.Equal(t, metav1.CauseType("RecordProtected"), response.Result.Details.Causes[0].Type)
	require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.decisions.WithLabelValues("Deny", "RecordProtected")), 0)
}

func TestAnIncompleteIndexIsA500WithTheReason(t *testing.T) {
	handler := newHandler(t)
	handler.Selectors = unavailable{errors.New("reading services: forbidden")}
	response := handler.Handle(t.Context(), review(trigger))
	require.False(t, response.Allowed)
	require.Empty(t, response.Patches)
	require.Equal(t, int32(http.StatusInternalServerError), response.Result.Code)
	require.Equal(t, "isolate can't tell yet what selects this pod, nothing was changed; try again: reading services: forbidden",
		response.Result.Message)
	require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.failures), 0)
}

func TestAReviewThatCannotBeReadIsA400(t *testing.T) {
	for name, damage := range map[string]func(*admission.Request){
		"pod":        func(r *admission.Request) { r.Object.Raw = []byte(`{"metadata":`) },
		"stored pod": func(r *admission.Request) { r.OldObject.Raw = []byte(`[]`) },
	} {
		req := review(trigger)
		damage(&req)
		response := newHandler(t).Handle(t.Context(), req)
		require.False(t, response.Allowed, name)
		require.Equal(t, int32(http.StatusBadRequest), response.Result.Code, name)
		require.Contains(t, response.Result.Message, "decoding the "+name)
	}
}

func TestADecisionIsOneLineInTheLog(t *testing.T) {
	var lines []string
	logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	req := review(trigger)
	ctx := log.IntoContext(context.Background(), Logger(logger, &req))
	newHandler(t).Handle(ctx, req)
	require.Equal(t, []string{`"level"=0 "msg"="Decided" "namespace"="shop" "pod"="web" "user"="jane" "admission"="review-uid" ` +
		`"action"="Quarantine" "reason"="" "uid"="pod-uid" "letGo"=["Service/web" "ReplicaSet/web"] "dryRun"=false`}, lines)
}
