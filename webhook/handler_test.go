package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/quarantine"
	"isolate.example.io/selectors"
)

// stored is a pod with unknown fields at every level.
const stored = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","uid":"pod-uid",
	"labels":{"app":"web","team":"a"},"future":{"x":[1,2.50,12345678901234567890]},
	"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"rs-uid","controller":true,"future":1}]},
	"spec":{"containers":[{"name":"web","image":"web","future":{"a":null}}],"future":"x"},"status":{"phase":"Running","future":true}}`

// start is the time of the tests' admissions.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// unavailable is an incomplete index.
type unavailable struct{ error }

func (u unavailable) Namespace(string) (quarantine.Selectors, error) { return nil, u.error }

// unlimited counts no pods.
type unlimited struct{}

func (unlimited) Reserve(_ context.Context, req quarantine.Request, _ bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error) {
	req.Quarantined = none{}
	return decide(req), nil
}

// uncounted does not know the quarantined pods.
type uncounted struct{ error }

func (u uncounted) Reserve(_ context.Context, _ quarantine.Request, _ bool, _ func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error) {
	return quarantine.Decision{}, u.error
}

type none struct{}

func (none) Controlled(...types.UID) quarantine.PodCount { return quarantine.PodCount{} }

func (none) All() quarantine.PodCount { return quarantine.PodCount{} }

// fixed is the API server's time.
type fixed time.Time

func (f fixed) Server() (time.Time, error) { return time.Time(f), nil }

// timeless does not know the API server's time.
type timeless struct{ error }

func (u timeless) Server() (time.Time, error) { return time.Time{}, u.error }

// ready is a complete index.
type ready struct{ *selectors.Index }

func newHandler(t *testing.T) *Handler {
	t.Helper()
	index := selectors.NewIndex()
	byApp, _ := labels.SelectorFromSet(labels.Set{"app": "web"}).Requirements()
	index.Set("shop", &quarantine.SelectingObject{Kind: quarantine.KindService, Name: "web", Requirements: byApp})
	index.Set("shop", &quarantine.SelectingObject{Kind: quarantine.KindReplicaSet, Name: "web", UID: "rs-uid", Requirements: byApp, Desired: 1})
	config, metrics := quarantine.DefaultConfig(), newMetrics(t)
	return NewHandler(Handler{
		Config:           config,
		Selectors:        ready{index},
		Budgets:          unlimited{},
		NamespaceConfigs: readNamespaces(t, config, metrics, logr.Discard()),
		Time:             fixed(start),
		Metrics:          metrics,
		Clock:            testclock.NewFakePassiveClock(start),
	})
}

// update returns the admission request of an update that sets these annotations.
func update(annotations map[string]string) *admissionv1.AdmissionRequest {
	data, err := json.Marshal(annotations)
	if err != nil {
		panic(err)
	}
	updated := strings.Replace(stored, `"labels"`, `"annotations":`+string(data)+`,"labels"`, 1)
	return &admissionv1.AdmissionRequest{
		UID: "review-uid", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Name:     "web", Namespace: "shop", Operation: admissionv1.Update,
		UserInfo:  authenticationv1.UserInfo{Username: "jane"},
		Object:    runtime.RawExtension{Raw: []byte(updated)},
		OldObject: runtime.RawExtension{Raw: []byte(stored)},
	}
}

// post sends a body to the handler.
func post(ctx context.Context, handler http.Handler, body []byte) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, Path, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// ask returns the handler's response to a request as the API server decodes it.
func ask(ctx context.Context, t *testing.T, handler http.Handler, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: req})
	require.NoError(t, err)
	recorder := post(ctx, handler, body)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	answer := &admissionv1.AdmissionReview{}
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), answer))
	require.Equal(t, admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"), answer.GroupVersionKind())
	require.Equal(t, req.UID, answer.Response.UID)
	return answer.Response
}

var trigger = map[string]string{quarantine.TriggerKey: "true"}

func TestUnknownFieldsOfThePodAreKept(t *testing.T) {
	req := update(trigger)
	response := ask(t.Context(), t, newHandler(t), req)
	require.True(t, response.Allowed)

	require.Equal(t, admissionv1.PatchTypeJSONPatch, *response.PatchType)
	patch, err := jsonpatch.DecodePatch(response.Patch)
	require.NoError(t, err)
	patched, err := patch.Apply(req.Object.Raw)
	require.NoError(t, err)
	for _, operation := range patch {
		path, err := operation.Path()
		require.NoError(t, err)
		require.Regexp(t, "^/metadata/(labels|annotations|ownerReferences)", path)
	}
	var before, after map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(req.Object.Raw, &before))
	require.NoError(t, json.Unmarshal(patched, &after))
	require.Equal(t, string(before["spec"]), string(after["spec"]))
	require.Equal(t, string(before["status"]), string(after["status"]))
	require.Contains(t, string(after["metadata"]), `{"x":[1,2.50,12345678901234567890]}`)
}

func TestTheResponseToAQuarantineHasAPatchWarningsAndAuditAnnotations(t *testing.T) {
	handler := newHandler(t)
	response := ask(t.Context(), t, handler, update(trigger))
	require.True(t, response.Allowed)
	require.NotEmpty(t, response.Patch)
	require.Contains(t, response.Warnings[0], "Service/web")
	require.Equal(t, map[string]string{"action": "Quarantine", "detached-from": "Service/web,ReplicaSet/web"}, response.AuditAnnotations)
	require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.decisions.WithLabelValues("Quarantine", "")), 0)
}

func TestAnInvalidValueIsA422ThatNamesTheField(t *testing.T) {
	response := ask(t.Context(), t, newHandler(t), update(map[string]string{quarantine.TTLKey: "soon"}))
	require.False(t, response.Allowed)
	require.Equal(t, int32(http.StatusUnprocessableEntity), response.Result.Code)
	require.Equal(t, metav1.StatusReasonInvalid, response.Result.Reason)
	require.Equal(t, "metadata.annotations[isolate.example.io/ttl]", response.Result.Details.Causes[0].Field)
	require.Equal(t, metav1.CauseTypeFieldValueInvalid, response.Result.Details.Causes[0].Type)
	require.Contains(t, response.Result.Message, `Pod "web" is invalid: metadata.annotations[isolate.example.io/ttl]: Invalid value: "soon"`)
	require.Equal(t, map[string]string{"action": "Deny", "reason": "InvalidValue"}, response.AuditAnnotations)
}

func TestADenialIsA403WithAMachineReadableCause(t *testing.T) {
	handler := newHandler(t)
	response := ask(t.Context(), t, handler, update(map[string]string{quarantine.RecordKey: "{}"}))
	require.False(t, response.Allowed)
	require.Equal(t, int32(http.StatusForbidden), response.Result.Code)
	require.Equal(t, metav1.StatusReasonForbidden, response.Result.Reason)
	require.Equal(t, metav1.CauseType("RecordProtected"), response.Result.Details.Causes[0].Type)
	require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.decisions.WithLabelValues("Deny", "RecordProtected")), 0)
}

func TestAnIncompleteIndexIsA500WithTheReason(t *testing.T) {
	handler := newHandler(t)
	handler.Selectors = unavailable{errors.New("reading services: forbidden")}
	response := ask(t.Context(), t, handler, update(trigger))
	require.False(t, response.Allowed)
	require.Empty(t, response.Patch)
	require.Equal(t, int32(http.StatusInternalServerError), response.Result.Code)
	require.Equal(t, "isolate does not know yet what selects this pod; nothing was changed, retry: reading services: forbidden",
		response.Result.Message)
	require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.failures), 0)
}

func TestAnUnknownCountIsA500AndNotZero(t *testing.T) {
	handler := newHandler(t)
	handler.Budgets = uncounted{errors.New("reading pods: not read yet")}
	response := ask(t.Context(), t, handler, update(trigger))
	require.Equal(t, int32(http.StatusInternalServerError), response.Result.Code)
	require.Equal(t, "isolate does not know yet how many pods are quarantined; nothing was changed, retry: reading pods: not read yet",
		response.Result.Message)
	require.True(t, ask(t.Context(), t, handler, update(map[string]string{quarantine.HoldKey: "true"})).Allowed, "only a quarantine needs the count")
}

// waiting reserves, and meanwhile something happens.
type waiting func()

func (w waiting) Reserve(ctx context.Context, req quarantine.Request, dryRun bool, decide func(quarantine.Request) quarantine.Decision) (quarantine.Decision, error) {
	w()
	return unlimited{}.Reserve(ctx, req, dryRun, decide)
}

func TestWhatBecomesUnknownWhileTheBudgetIsReservedIsA500(t *testing.T) {
	for name, lose := range map[string]func(*Handler){
		"what selects the pod": func(h *Handler) { h.Selectors = unavailable{errors.New("reading services: forbidden")} },
		"the configuration":    func(h *Handler) { h.NamespaceConfigs = unreadNamespaces(h.Config, h.Metrics, logr.Discard()) },
	} {
		t.Run(name, func(t *testing.T) {
			handler := newHandler(t)
			handler.Budgets = waiting(func() { lose(handler) })
			response := ask(t.Context(), t, handler, update(trigger))
			require.Equal(t, int32(http.StatusInternalServerError), response.Result.Code)
			require.Empty(t, response.Patch)
		})
	}
}

func TestAnUnknownNamespaceConfigIsA500(t *testing.T) {
	handler := newHandler(t)
	handler.NamespaceConfigs = unreadNamespaces(handler.Config, handler.Metrics, logr.Discard())
	response := ask(t.Context(), t, handler, update(trigger))
	require.Equal(t, int32(http.StatusInternalServerError), response.Result.Code)
	require.Equal(t, "isolate does not know yet the configuration of this namespace; nothing was changed, retry: reading namespaces: not read yet",
		response.Result.Message)
}

func TestAnUnknownTimeIsA500(t *testing.T) {
	handler := newHandler(t)
	handler.Time = timeless{errors.New("the API server has not told its time for 15 seconds")}
	response := ask(t.Context(), t, handler, update(trigger))
	require.Equal(t, int32(http.StatusInternalServerError), response.Result.Code)
	require.Equal(t, "isolate does not know yet the API server's time; nothing was changed, retry: the API server has not told its time for 15 seconds",
		response.Result.Message)
}

func TestAMalformedReviewIsA400(t *testing.T) {
	long := strings.Repeat("u", 3<<20)
	for body, problem := range map[string]string{
		`{"request":`: `decoding the review: jsontext: unexpected EOF within "/request"`,
		`{"request":{"operation":"CREATE","object":{}}} {}`:                                                                       "decoding the review: jsontext: invalid character '{' after top-level value",
		`{"request":{"operation":"UPDATE","object":[],"oldObject":{}}}`:                                                           `unmarshal JSON array into Go struct`,
		`{"request":{"operation":"CREATE","object":` + strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001) + "}}": "exceeded max depth",
		`{}`:                                 "decoding the review: it has no request",
		`{"request":{"operation":"CREATE"}}`: "decoding the review: it has no object",
		`{"request":{"operation":"UPDATE","object":{}}}`: "decoding the review: it has no oldObject",
		`{"request":{"uid":"` + long + `","operation":"CREATE","object":{}}}`: "decoding the review: " +
			"request.uid has 3145728 bytes, more than the 128 that it can have",
		`{"request":{"operation":"CREATE","userInfo":{"username":"` + long + `"},"object":{}}}`: "decoding the review: " +
			"request.userInfo.username has 3145728 bytes, more than the 1024 that it can have",
		`{"request":{"operation":"UPDATE","object":{},"oldObject":{"metadata":{"uid":"` + long + `"}}}}`: "decoding the review: " +
			"request.oldObject.metadata.uid has 3145728 bytes, more than the 128 that it can have",
		`{"request":{"operation":"CREATE","object":{"metadata":{"deletionTimestamp":"` + long + `"}}}}`: `within "/request/object/metadata/deletionTimestamp": parsing time`,
	} {
		handler := newHandler(t)
		recorder := post(t.Context(), handler, []byte(body))
		require.Equal(t, http.StatusBadRequest, recorder.Code, body)
		require.Contains(t, recorder.Body.String(), problem)
		require.Less(t, recorder.Body.Len(), 1024)
		require.InDelta(t, 1, testutil.ToFloat64(handler.Metrics.failures), 0)
	}
}

func TestATooLargeReviewIsA413(t *testing.T) {
	recorder := post(t.Context(), newHandler(t), bytes.Repeat([]byte{' '}, maxReviewSize+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, recorder.Code)
	require.Contains(t, recorder.Body.String(), "reading the review: it is larger than 7 MiB")
}

func TestFieldsOfTheReviewAreCaseSensitive(t *testing.T) {
	req := update(nil)
	req.Object.Raw = []byte(strings.Replace(stored, `"metadata"`, `"Metadata":{"annotations":{"isolate.example.io/quarantine":"true"}},"metadata"`, 1))
	require.Equal(t, "None", ask(t.Context(), t, newHandler(t), req).AuditAnnotations["action"])
}

// Anyone who reaches the port can send a review.
func TestALongOwnerIsTruncatedInTheLog(t *testing.T) {
	var lines []string
	logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	req := update(trigger)
	for _, object := range []*runtime.RawExtension{&req.Object, &req.OldObject} {
		object.Raw = bytes.Replace(object.Raw, []byte(`"name":"web","uid":"rs-uid"`), []byte(`"name":"`+strings.Repeat("w", 50_000)+`","uid":"rs-uid"`), 1)
	}
	ask(log.IntoContext(t.Context(), logger), t, newHandler(t), req)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], `www..."] "dryRun"=false`)
	require.Less(t, len(lines[0]), 1024)
}

func TestADecisionIsOneLogLine(t *testing.T) {
	var lines []string
	logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	ask(log.IntoContext(t.Context(), logger), t, newHandler(t), update(trigger))
	require.Equal(t, []string{`"level"=0 "msg"="Decided" "namespace"="shop" "pod"="web" "user"="jane" "admission"="review-uid" ` +
		`"action"="Quarantine" "reason"="" "uid"="pod-uid" "detachedFrom"=["Service/web" "ReplicaSet/web"] "dryRun"=false`}, lines)
}
