package alertreceiver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/sweeper/events"
)

const token = "0123456789abcdef"

// pods answers like an API server with one pod. The suite in test/tools/alertmanager has a
// real one.
type pods struct {
	client.Client
	read, patched error
	patches       int
	labels        map[string]string
}

func (p *pods) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	object.SetUID("uid-1")
	return p.read
}

func (p *pods) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
	p.patches++
	object.SetLabels(p.labels)
	return p.patched
}

// published are the events that were published.
type published []events.Event

func (p *published) Publish(event events.Event) { *p = append(*p, event) }

type receiver struct {
	*Handler
	events *published
}

func newReceiver(t *testing.T, p *pods) *receiver {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	r := &receiver{events: &published{}}
	r.Handler = newHandler(config(), tokenFile(t, token), &quarantiner{p}, r.events, m)
	return r
}

func (r *receiver) post(body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	request.Header.Set("Authorization", scheme+token)
	recorder := httptest.NewRecorder()
	r.ServeHTTP(recorder, request)
	return recorder
}

const oneAlert = `{"version":"4","alerts":[` + complete + `]}`

func TestAnswersToTheAPIServersErrors(t *testing.T) {
	resource := schema.GroupResource{Resource: "pods"}
	denial := apierrors.NewForbidden(resource, "web-1", errors.New("5 of at most 5"))
	denial.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseType(quarantine.ReasonControllerBudget)}}
	for name, test := range map[string]struct {
		pods    pods
		code    int
		reason  Reason
		patches int
		event   bool
	}{
		"no such pod":            {pods{read: apierrors.NewNotFound(resource, "web-1")}, 422, ReasonPodNotFound, 0, false},
		"no permission":          {pods{read: apierrors.NewForbidden(resource, "web-1", errors.New("no"))}, 422, ReasonForbidden, 0, false},
		"an expired token":       {pods{read: apierrors.NewUnauthorized("expired")}, 503, ReasonUnavailable, 0, false},
		"no answer":              {pods{read: errors.New("connection refused")}, 503, ReasonUnavailable, 0, false},
		"a refusal of isolate's": {pods{patched: denial}, 422, Reason(quarantine.ReasonControllerBudget), 1, true},
		"an invalid ttl":         {pods{patched: apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "web-1", nil)}, 422, Reason(quarantine.ReasonInvalidValue), 1, true},
		"a broken webhook":       {pods{patched: apierrors.NewInternalError(errors.New("no endpoints"))}, 503, ReasonUnavailable, 1, true},
		"a busy API server":      {pods{patched: apierrors.NewTooManyRequests("busy", 1)}, 503, ReasonUnavailable, 1, true},
		"a time-out":             {pods{patched: context.DeadlineExceeded}, 503, ReasonUnavailable, 1, true},
		"a bad request":          {pods{patched: apierrors.NewBadRequest("no")}, 422, ReasonRejected, 1, true},
		"a pod that changes":     {pods{patched: apierrors.NewConflict(resource, "web-1", errors.New("changed"))}, 503, ReasonConflict, maxAttempts, true},
		"isolate is missing":     {pods{}, 422, ReasonNotQuarantined, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, &test.pods)
			answer := r.post(oneAlert)
			require.Equal(t, test.code, answer.Code)
			require.True(t, strings.HasPrefix(answer.Body.String(), string(test.reason)+": "), answer.Body)
			require.Equal(t, test.patches, test.pods.patches)
			require.Equal(t, 1, int(testutil.ToFloat64(r.metrics.refusals.WithLabelValues(string(test.reason)))))
			require.Equal(t, 1, int(testutil.ToFloat64(r.metrics.alerts.WithLabelValues(string(ResultRefused)))))
			require.Equal(t, test.event, len(*r.events) == 1)
		})
	}
}

func TestOneAlertWorthARetryHasTheRequestRepeated(t *testing.T) {
	r := newReceiver(t, &pods{read: errors.New("connection refused")})
	answer := r.post(`{"version":"4","alerts":[` + strings.Replace(complete, "shop", "pay", 1) + "," + complete + `]}`)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Equal(t, "NamespaceNotAllowed: Alerts may not quarantine pods in namespace pay. To allow it: --allowed-namespace=pay, and a RoleBinding there.\n"+
		"Unavailable: connection refused\n", answer.Body.String())
}

func TestTooManyRequestsAreToldToRetry(t *testing.T) {
	r := newReceiver(t, &pods{labels: map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}})
	require.True(t, r.slots.TryAcquire(maxRequests))
	answer := r.post(oneAlert)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Equal(t, "Overloaded: "+messageOverloaded+"\n", answer.Body.String())
	r.slots.Release(maxRequests)
	require.Equal(t, http.StatusOK, r.post(oneAlert).Code)
}

func TestAlertsBeyondTheRateAreToldToRetry(t *testing.T) {
	p := &pods{labels: map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}}
	r := newReceiver(t, p)
	require.True(t, r.limiter.AllowN(time.Now(), alertsAtOnce))
	r.limiter.SetLimit(0)
	answer := r.post(oneAlert)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Equal(t, "Overloaded: "+messageTooLate+"\n", answer.Body.String())
	require.Zero(t, p.patches)
	require.Equal(t, http.StatusUnprocessableEntity, r.post(strings.Replace(oneAlert, "shop", "pay", 1)).Code, "a refusal costs the API server nothing")
}

func TestEveryReasonIsCountedFromTheStart(t *testing.T) {
	r := newReceiver(t, &pods{})
	require.Equal(t, len(Reasons()), testutil.CollectAndCount(r.metrics.refusals))
	require.Equal(t, len(Results()), testutil.CollectAndCount(r.metrics.alerts))
}

func TestTheEventOfARefusalIsPublishedOncePerAlertAndReason(t *testing.T) {
	pod := podObject()
	pod.SetUID("uid-1")
	c := config()
	one, _ := c.target(firing(nil))
	refused := permanent(ReasonPodReplaced, "why")
	first := refusedEvent(pod, one, refused)
	require.Equal(t, "Alert PodServesErrors did not quarantine this pod (PodReplaced): why", first.Note)
	again := refusedEvent(pod, one, permanent(ReasonPodReplaced, "why now"))
	require.Equal(t, first.Name(), again.Name())
	later := one
	later.startsAt = noon.AddDate(0, 0, 1)
	require.NotEqual(t, first.Name(), new(refusedEvent(pod, later, refused)).Name())
	require.NotEqual(t, first.Name(), new(refusedEvent(pod, one, permanent(ReasonForbidden, "why"))).Name())
}
