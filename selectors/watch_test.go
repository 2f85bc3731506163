package selectors

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"isolate.example.io/quarantine"
	"isolate.example.io/watchcache"
)

var errDown = errors.New("the API server is down")

// server responds to lists and watches like the API server, or fails.
type server struct{ list, watch error }

// newWatched returns a watcher of Services, which were read, and of Jobs, which were not.
func newWatched(s *server) (*Watcher, *watchcache.Cache) {
	w := newUnread(s)
	must(w.kinds[0].Replace(nil, ""))
	return w, w.kinds[1]
}

// newUnread returns a watcher that has read neither.
func newUnread(s *server) *Watcher {
	w := &Watcher{index: NewIndex()}
	source := &cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &batchv1.JobList{}, s.list
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return watch.NewEmptyWatch(), s.watch
		},
	}
	w.kinds = []*watchcache.Cache{
		watchcache.New("services", source, &corev1.Service{}, &watched{kind: quarantine.KindService, watcher: w}),
		watchcache.New("jobs", source, &batchv1.Job{}, &watched{kind: quarantine.KindJob, watcher: w}),
	}
	return w
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func requireComplete(t *testing.T, w *Watcher) {
	t.Helper()
	require.NoError(t, w.Ready(nil))
	_, err := w.Namespace("ns")
	require.NoError(t, err)
}

func requireIncomplete(t *testing.T, w *Watcher, why string) {
	t.Helper()
	require.EqualError(t, w.Ready(nil), "reading jobs: "+why)
	_, err := w.Namespace("ns")
	require.EqualError(t, err, "reading jobs: "+why)
}

func job(name string, selector *metav1.LabelSelector) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: batchv1.JobSpec{Selector: selector}}
}

func TestAKindIsAnErrorUntilItWasListed(t *testing.T) {
	w, jobs := newWatched(&server{})
	requireIncomplete(t, w, "not read yet")
	require.NoError(t, jobs.Add(job("web", byApp)))
	requireIncomplete(t, w, "not read yet")
	require.NoError(t, jobs.Replace(nil, ""))
	requireComplete(t, w)
}

// Package watchcache has the rules for when a kind is unknown.
func TestReadyToleratesAKindThatBecomesUnknown(t *testing.T) {
	s := &server{}
	w, jobs := newWatched(s)
	require.NoError(t, jobs.Replace(nil, ""))
	requireComplete(t, w)
	s.list = errDown
	_, err := jobs.ListWithContext(t.Context(), metav1.ListOptions{})
	require.ErrorIs(t, err, errDown)
	_, err = w.Namespace("ns")
	require.EqualError(t, err, "reading jobs: "+errDown.Error())
	require.NoError(t, w.Ready(nil), "within the tolerance")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Wait(ctx), errDown)
	require.NoError(t, jobs.Replace(nil, ""))
	requireComplete(t, w)
	require.NoError(t, w.Wait(t.Context()))
}

func TestOneUnreadKindIsAnError(t *testing.T) {
	for i, resource := range []string{"services", "jobs"} {
		w := newUnread(&server{})
		require.NoError(t, w.kinds[1-i].Replace(nil, ""))
		require.EqualError(t, w.Ready(nil), "reading "+resource+": not read yet")
		require.NoError(t, w.kinds[i].Replace(nil, ""))
		requireComplete(t, w)
	}
}

func TestAListRemovesTheObjectsItLacks(t *testing.T) {
	w, jobs := newWatched(&server{})
	w.index.Set("ns", service(t, "web", "app", "web"))
	require.NoError(t, jobs.Replace([]any{job("stays", byApp), job("goes", byApp), job("odd", expression("Near"))}, ""))
	require.NoError(t, jobs.Replace([]any{job("stays", byApp), job("new", byApp)}, ""))
	var names []string
	for _, s := range matching(t, w.index, "ns", web) {
		names = append(names, s.String())
	}
	require.Equal(t, []string{"Service/web", "Job/new", "Job/stays"}, names)
}

func TestEveryChangeReachesTheIndex(t *testing.T) {
	w, jobs := newWatched(&server{})
	require.NoError(t, jobs.Replace(nil, ""))
	require.NoError(t, jobs.Add(job("web", byApp)))
	require.Len(t, matching(t, w.index, "ns", web), 1)

	require.NoError(t, jobs.Update(job("web", expression("Near"))))
	_, err := w.Namespace("ns")
	require.EqualError(t, err, `reading the selector of Job ns/web: "Near" is not a valid label selector operator`)
	_, err = w.Namespace("other")
	require.NoError(t, err)
	require.NoError(t, w.Ready(nil), "one object must not make every namespace fail")

	require.NoError(t, jobs.Update(job("web", expression(metav1.LabelSelectorOpDoesNotExist))))
	require.Len(t, matching(t, w.index, "ns", nil), 1)
	require.NoError(t, jobs.Update(job("web", nil)))
	require.Empty(t, matching(t, w.index, "ns", nil))

	require.NoError(t, jobs.Add(job("web", byApp)))
	require.NoError(t, jobs.Delete(job("web", byApp)))
	require.Empty(t, matching(t, w.index, "ns", web))
	require.NoError(t, jobs.Resync())
}

func TestChangedIsCalledForEachNewOrChangedSelector(t *testing.T) {
	w, jobs := newWatched(&server{})
	var changed []string
	w.Changed = func(namespace string) {
		require.NotEmpty(t, matching(t, w.index, namespace, web), "the index has the change already")
		changed = append(changed, namespace)
	}
	require.NoError(t, jobs.Replace([]any{job("web", byApp)}, ""))
	require.NoError(t, jobs.Update(job("web", byApp)))
	require.NoError(t, jobs.Add(job("api", byApp)))
	require.NoError(t, jobs.Add(job("none", nil)))
	require.NoError(t, jobs.Delete(job("api", byApp)))
	require.Equal(t, []string{"ns", "ns", "ns"}, changed)
}

func TestAnythingButAnObjectIsAnError(t *testing.T) {
	w, jobs := newWatched(&server{})
	for _, store := range []func(any) error{jobs.Add, jobs.Update, jobs.Delete} {
		require.EqualError(t, store("web"), "string is not an object")
	}
	require.EqualError(t, jobs.Replace([]any{"web"}, ""), "string is not an object")
	requireIncomplete(t, w, "not read yet")
	require.NoError(t, jobs.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"}}))
	_, err := w.index.Namespace("ns")
	require.EqualError(t, err, "reading the selector of Job ns/web: *v1.Pod does not select pods")
}
