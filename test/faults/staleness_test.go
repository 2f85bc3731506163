package faults

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/faults/network"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/gen"
	"isolate.example.io/watchcache"
)

// unknown begins an answer of a webhook that can't tell yet.
const unknown = "500 isolate does not know yet"

// outage is a case of the test below, with a replica of the webhook.
type outage struct {
	*cluster
	t       *testing.T
	replica *installation.Program
	pod     *corev1.Pod
	watch   *observer
}

// While an object that selects the pod is created during an outage, the replica may decide
// without it for [watchcache.MaxAge], and never while it is not ready.
func TestTheWebhookNeverDecidesOnAStaleState(t *testing.T) {
	c := start(t, controlplane.Options{APIServerFlags: []string{
		// Their watches read etcd, and end when it has been compacted.
		"--watch-cache-sizes=replicationcontrollers#0",
	}}, installation.Options{})
	second, err := c.AddAPIServer(t.Context(), "kube-apiserver-2")
	require.NoError(t, err)
	first := c.replicas("webhook")[0]
	c.redirect("webhook-2", "kube-apiserver", strings.TrimPrefix(second.Host, "https://"))
	behind, err := c.isolate.StartWebhook(t.Context())
	require.NoError(t, err)

	for _, test := range []struct {
		name    string
		replica *installation.Program
		// begin begins the outage, and end ends it.
		begin, end func(o *outage)
		// create creates what selects the pod.
		create func(o *outage)
		// short outages may be over before a replica is not ready.
		short bool
	}{
		{"the API server restarts", first, (*outage).restartAPIServer, nil, (*outage).createService, true},
		{"the connection is a black hole", first, (*outage).blackHole, (*outage).heal, (*outage).createService, false},
		{"the watch has expired", first, (*outage).cut, (*outage).compactAndHeal, (*outage).createController, true},
		{"a permission is missing", first, (*outage).revoke, (*outage).restorePermission, (*outage).createService, false},
		{"the API server has lost etcd", behind, (*outage).loseEtcd, (*outage).findEtcd, (*outage).createService, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &outage{cluster: c, t: t, replica: test.replica, pod: c.newPod(t)}
			o.watch = observe(t, c, test.replica, o.pod)
			o.watch.until("the replica decides", func(a attempt) bool { return a.err == nil })
			test.begin(o)
			test.create(o)
			o.watch.createdAt(time.Now())
			if !test.short {
				o.watch.until("the replica is not ready", func(a attempt) bool { return !a.readyBefore })
			}
			if test.end != nil {
				if !test.short {
					o.watch.until("the replica says that it can't tell yet", func(a attempt) bool {
						return a.err != nil && strings.HasPrefix(a.err.Error(), unknown)
					})
				}
				test.end(o)
			}
			o.watch.until("the replica is ready, and decides on the current state", func(a attempt) bool {
				return a.readyAfter && a.err == nil && !a.stale
			})
			o.watch.stop()
		})
	}
}

func (c *cluster) newPod(t *testing.T) *corev1.Pod {
	t.Helper()
	namespace, err := c.admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "faults-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	// Without a ServiceAccount: its controller may be waiting for the API server.
	pod := gen.Pod("web", gen.Label("app", "web"))
	pod.Spec.AutomountServiceAccountToken = new(false)
	c.until(func(ctx context.Context) bool {
		created, err := c.admin.CoreV1().Pods(namespace.Name).Create(ctx, pod, metav1.CreateOptions{})
		if err == nil {
			pod = created
		}
		return err == nil
	}, "a pod is created")
	return pod
}

func (o *outage) createService() {
	_, err := o.admin.CoreV1().Services(o.pod.Namespace).Create(o.t.Context(), gen.Service("web", o.pod.Labels), metav1.CreateOptions{})
	require.NoError(o.t, err)
}

func (o *outage) createController() {
	_, err := o.admin.CoreV1().ReplicationControllers(o.pod.Namespace).Create(o.t.Context(), gen.ReplicationController("web", 1, o.pod.Labels), metav1.CreateOptions{})
	require.NoError(o.t, err)
}

func (o *outage) restartAPIServer() {
	require.NoError(o.t, o.Restart(o.t.Context(), "kube-apiserver"))
}

// link is the replica's connection to its API server.
func (o *outage) link() *network.Link { return o.between(name(o.replica), "kube-apiserver") }

func (o *outage) blackHole() { o.link().Set(network.Fault{BlackHole: true}) }

func (o *outage) cut() { o.link().Set(network.Fault{Cut: true}) }

func (o *outage) heal() { o.link().Heal() }

func (o *outage) compactAndHeal() {
	require.NoError(o.t, o.compact(o.t.Context()))
	o.heal()
}

// revoke takes away the permission to read Services. It is asked for when a watch begins.
func (o *outage) revoke() {
	require.NoError(o.t, o.permit(o.t.Context(), "services", false))
	o.cut()
	o.watch.until("the replica can't tell", func(a attempt) bool { return a.err != nil })
	o.heal()
}

func (o *outage) restorePermission() {
	require.NoError(o.t, o.permit(o.t.Context(), "services", true))
}

func (o *outage) loseEtcd() {
	o.between("kube-apiserver-2", "etcd").Set(network.Fault{BlackHole: true})
}

func (o *outage) findEtcd() { o.between("kube-apiserver-2", "etcd").Heal() }

// observer asks a replica again and again to quarantine a pod.
type observer struct {
	t       *testing.T
	cancel  context.CancelFunc
	ended   chan []attempt
	created chan time.Time
	latest  chan attempt
}

// attempt is one review, and whether the replica was ready before and after it.
type attempt struct {
	sent                    time.Time
	readyBefore, readyAfter bool
	err                     error
	// stale attempts were admitted with labels that the object selects.
	stale bool
}

func observe(t *testing.T, c *cluster, replica *installation.Program, pod *corev1.Pod) *observer {
	t.Helper()
	reviewer, err := c.reviewer(replica)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	o := &observer{t: t, cancel: cancel, ended: make(chan []attempt, 1), created: make(chan time.Time, 1), latest: make(chan attempt)}
	go func() {
		var attempts []attempt
		for ctx.Err() == nil {
			a := attempt{readyBefore: replica.Ready(ctx), sent: time.Now()}
			var stored map[string]string
			stored, a.err = reviewer.quarantine(ctx, pod)
			a.readyAfter = replica.Ready(ctx)
			a.stale = a.err == nil && stored["app"] == pod.Labels["app"]
			if ctx.Err() == nil {
				attempts = append(attempts, a)
			}
			select {
			case o.latest <- a:
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		o.ended <- attempts
	}()
	t.Cleanup(cancel)
	return o
}

// until waits for an attempt.
func (o *observer) until(what string, condition func(attempt) bool) {
	o.t.Helper()
	timeout := time.After(patience)
	var last attempt
	for {
		select {
		case last = <-o.latest:
			if condition(last) {
				return
			}
		case <-timeout:
			require.FailNow(o.t, "waiting until "+what, "the last attempt: %+v", last)
		}
	}
}

// createdAt says when the object that selects the pod was created.
func (o *observer) createdAt(at time.Time) { o.created <- at }

// stop requires that no attempt was decided on a state that was too old.
func (o *observer) stop() {
	o.t.Helper()
	o.cancel()
	attempts, created := <-o.ended, <-o.created
	var decided, refused, behind int
	for _, a := range attempts {
		switch {
		case a.err != nil:
			refused++
		case !a.stale || a.sent.Before(created):
			decided++
		default:
			behind++
			require.True(o.t, a.readyBefore || a.readyAfter, "decided while it was not ready: %+v", a)
			require.Less(o.t, a.sent.Sub(created), watchcache.MaxAge, "%+v", a)
		}
	}
	o.t.Logf("%d reviews decided on the current state, %d on the state before, %d not decided", decided, behind, refused)
	require.NotZero(o.t, refused)
}
