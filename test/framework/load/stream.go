package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"isolate.example.io/quarantine"
)

// trigger quarantines a pod.
const trigger = `{"metadata": {"annotations": {"` + quarantine.TriggerKey + `": "true"}}}`

// maxErrors is the number of errors in a report.
const maxErrors = 5

// Report summarizes a stream.
type Report struct {
	// Sent counts all answered admissions, Lost those that failed or did not
	// quarantine the pod.
	Sent, Lost int64

	// Undecided counts those of the lost ones that a replica answered without a decision,
	// because its state of the cluster may have been stale. Replicas of any installation do
	// so when the API server is slow, as on a busy machine.
	Undecided int64

	// Slowest is the duration of the slowest write.
	Slowest time.Duration

	// Errors are the first few.
	Errors []error
}

// String returns a line for the test log.
func (r Report) String() string {
	return fmt.Sprintf("%d admissions sent, %d lost (%d undecided), the slowest took %s; errors: %v", r.Sent, r.Lost, r.Undecided, r.Slowest.Round(time.Millisecond), r.Errors)
}

// Stream is a running stream of admissions. Each is a server-side dry run of a
// quarantine: the webhook decides as usual, and nothing is stored that would slow
// down the next one.
type Stream struct {
	cancel     context.CancelFunc
	group      sync.WaitGroup
	sent, lost atomic.Int64
	undecided  atomic.Int64

	mu      sync.Mutex
	slowest time.Duration
	errors  []error
}

// Start creates a pod for each writer and starts the writers. The stream runs until
// Stop is called or the context is done.
func Start(ctx context.Context, config *rest.Config, namespace string, writers int) (*Stream, error) {
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{} // Every quarantine returns warnings.
	pods, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var names []string
	for range writers {
		pod, err := admin.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "stream-"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("creating a pod for a writer: %w", err)
		}
		names = append(names, pod.Name)
	}
	s := &Stream{}
	ctx, s.cancel = context.WithCancel(ctx)
	resource := pods.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace)
	for _, name := range names {
		s.group.Go(func() {
			for ctx.Err() == nil {
				s.write(ctx, resource, name)
			}
		})
	}
	return s, nil
}

// Sent returns the number of admissions answered so far.
func (s *Stream) Sent() int64 { return s.sent.Load() }

// Lost returns the number of admissions lost so far.
func (s *Stream) Lost() int64 { return s.lost.Load() }

// Stop stops the stream and returns its report. Writes in flight are cancelled and
// not counted.
func (s *Stream) Stop() Report {
	s.cancel()
	s.group.Wait()
	return Report{Sent: s.Sent(), Lost: s.Lost(), Undecided: s.undecided.Load(), Slowest: s.slowest, Errors: s.errors}
}

func (s *Stream) write(ctx context.Context, pods metadata.ResourceInterface, name string) {
	start := time.Now()
	answer, err := pods.Patch(ctx, name, types.MergePatchType, []byte(trigger), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	took := time.Since(start)
	if ctx.Err() != nil {
		return
	}
	if err == nil && answer.Labels[quarantine.QuarantinedLabel] != quarantine.QuarantinedValue {
		err = fmt.Errorf("pod %s was written and not quarantined", name)
	}
	s.sent.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slowest = max(s.slowest, took)
	if err != nil {
		s.lost.Add(1)
		if undecided(err) {
			s.undecided.Add(1)
		}
		if len(s.errors) < maxErrors {
			s.errors = append(s.errors, err)
		}
	}
}

// undecided reports whether a replica answered that it could not decide. The API server gives
// the errors of calls that failed a reason of its own, and those of a webhook none.
func undecided(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Reason == metav1.StatusReasonUnknown && status.Status().Code == http.StatusInternalServerError
}
