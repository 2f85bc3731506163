package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
	"isolate.example.io/webhook"
)

// budget is the budget of a namespace, as shipped.
const budget = 50

// forger sends reviews to a webhook without an API server.
type forger struct {
	client *http.Client
	url    string
}

func newForger(t *testing.T, p *program) *forger {
	t.Helper()
	trusted := x509.NewCertPool()
	certificate, err := x509.ParseCertificate(p.certificate.Certificate[0])
	require.NoError(t, err)
	trusted.AddCert(certificate)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13}}}
	t.Cleanup(client.CloseIdleConnections)
	return &forger{client, p.url + webhook.Path}
}

// forge sends a review of the quarantine of a pod, and reports whether it was admitted.
func (s *forger) forge(ctx context.Context, pod *corev1.Pod) (admitted bool, err error) {
	triggered := pod.DeepCopy()
	gen.Annotation(quarantine.TriggerKey, quarantine.True)(triggered)
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "forged", Operation: admissionv1.Update, Namespace: pod.Namespace, Name: pod.Name,
		Object: runtime.RawExtension{Object: triggered}, OldObject: runtime.RawExtension{Object: pod},
	}})
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	answer := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return false, err
	}
	return answer.Response.Allowed, nil
}

// invented returns a pod that does not exist.
func invented(namespace string, i int) *corev1.Pod {
	pod := gen.Pod("invented-"+strconv.Itoa(i), gen.Namespace(namespace))
	pod.UID = types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i))
	return pod
}

func TestForgedReviewsUseUpNoBudget(t *testing.T) {
	namespace := newNamespace(t)
	p := newProgram()
	startReadyWebhook(t, p)
	pod := create(t, namespace, "web")
	s := newForger(t, p)
	for i := range budget {
		admitted, err := s.forge(t.Context(), invented(namespace, i))
		require.NoError(t, err)
		require.True(t, admitted)
	}
	quarantineFor(t, pod, "1h")
	require.InDelta(t, budget, p.metric(t, "isolate_unstored_quarantines_total"), 0)
}

// More are sent while others are being quarantined.
func TestAForgedFloodUsesUpNoBudget(t *testing.T) {
	namespace := newNamespace(t)
	p := newProgram()
	startReadyWebhook(t, p)
	s := newForger(t, p)
	ctx, stop := context.WithCancel(t.Context())
	var forged atomic.Int64
	var forgers sync.WaitGroup
	for range 4 {
		forgers.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.forge(ctx, invented(namespace, int(forged.Add(1)))); err != nil && ctx.Err() == nil {
					t.Errorf("sending a forged review: %v", err)
					return
				}
			}
		})
	}
	waiting.Until(t, func() bool { return forged.Load() > 2*budget }, "the flood has begun")
	for i := range budget {
		quarantineFor(t, create(t, namespace, "web-"+strconv.Itoa(i)), "1h")
	}
	stop()
	forgers.Wait()
	t.Logf("%d forged reviews, %d quarantines", forged.Load(), budget)
}

// A budget still holds in a burst: admitted pods count before they are stored. One replica
// overshoots by nothing.
func TestABurstOverBudgetIsRefused(t *testing.T) {
	namespace := newNamespace(t)
	p := newProgram()
	startReadyWebhook(t, p)
	pods := make([]*corev1.Pod, 2*budget)
	for i := range pods {
		pods[i] = create(t, namespace, "web-"+strconv.Itoa(i))
	}
	quarantineAll := func() {
		var burst sync.WaitGroup
		for _, pod := range pods {
			burst.Go(func() { // Most are refused, and a busy machine may let some time out.
				_ = annotate(t.Context(), pod.DeepCopy(), map[string]string{quarantine.TriggerKey: quarantine.True})
			})
		}
		burst.Wait()
	}
	waiting.Poll(t, func(ctx context.Context) (bool, error) {
		quarantineAll()
		quarantined := &metav1.PartialObjectMetadataList{}
		quarantined.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
		err := admin.List(ctx, quarantined, client.InNamespace(namespace), client.HasLabels{quarantine.QuarantinedLabel})
		require.LessOrEqual(t, len(quarantined.Items), budget)
		return len(quarantined.Items) == budget, err
	}, "the budget is used up")
	quarantineAll()
	err := annotate(t.Context(), create(t, namespace, "another"), map[string]string{quarantine.TriggerKey: quarantine.True})
	require.ErrorContains(t, err, "50 of at most 50 pods of namespace "+namespace)
}
