package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
	"isolate.example.io/watchcache"
)

// keptLong is a ttl that outlasts every scenario.
const keptLong = "2h"

// actor is a person who has a Deployment, and quarantines its pods. Nobody else touches them.
type actor struct {
	*scenario
	number int
	random *rand.Rand
	// app is the label that the ReplicaSet selects by, zone one that only Services select by.
	app, zone map[string]string

	quarantined []*metav1.ObjectMeta
	service     *service
	services    int
}

// service is a Service of the actor. Created is when the API server had answered, zero if it
// has not.
type service struct {
	name    string
	created time.Time
}

func newActor(s *scenario, number int) *actor {
	return &actor{
		scenario: s, number: number, random: s.random(number),
		app:  map[string]string{"app": fmt.Sprint("app-", number)},
		zone: map[string]string{"zone": fmt.Sprint("zone-", number)},
	}
}

// setUp creates the Deployment.
func (a *actor) setUp() {
	a.Helper()
	deployment := gen.Deployment(fmt.Sprint("app-", a.number), 2, a.app)
	labels := maps.Clone(a.app)
	maps.Copy(labels, a.zone)
	deployment.Spec.Template.Labels = labels
	_, err := a.client.AppsV1().Deployments(a.namespace).Create(a.Context(), deployment, metav1.CreateOptions{})
	require.NoError(a, err)
}

// act does one thing after the other until the context ends.
func (a *actor) act(ctx context.Context) {
	actions := []func(context.Context){
		a.quarantine, a.quarantine, a.quarantine, a.hold, a.hold, a.unhold, a.extend, a.release, a.toggleService, a.toggleService,
	}
	for ctx.Err() == nil {
		actions[a.random.IntN(len(actions))](ctx)
		pause(ctx, time.Duration(50+a.random.IntN(250))*time.Millisecond)
	}
}

func (a *actor) quarantine(ctx context.Context) {
	pod := a.freePod(ctx)
	if pod == nil {
		return
	}
	annotations := map[string]any{
		quarantine.TriggerKey: quarantine.True,
		quarantine.TTLKey:     []string{"1s", "2s", "5s", keptLong}[a.random.IntN(4)],
	}
	if a.random.IntN(4) == 0 {
		annotations[quarantine.HoldKey] = quarantine.True
	}
	sent := time.Now()
	known := a.service != nil && !a.service.created.IsZero() && sent.Sub(a.service.created) >= watchcache.MaxAge
	stored, err := a.annotate(ctx, pod.Name, annotations)
	switch a.result(err) {
	case admitted:
		a.requireIsolated(stored, known)
		a.requireStamped(stored, sent)
		a.quarantined = append(a.quarantined, &stored.ObjectMeta)
		a.protect(stored)
	case refused:
		a.requireUntouched(ctx, pod, err)
	case uncertain:
		a.requireAllOrNothing(ctx, pod, err)
	}
}

// freePod returns a running pod of the Deployment, or nil.
func (a *actor) freePod(ctx context.Context) *corev1.Pod {
	list, err := a.client.CoreV1().Pods(a.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + a.app["app"]})
	if err != nil {
		return nil
	}
	for i := range list.Items {
		pod := &list.Items[i]
		free := quarantine.StatusOf(pod.Labels, pod.Annotations).State == quarantine.Free
		if free && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil && metav1.GetControllerOf(pod) != nil {
			return pod
		}
	}
	return nil
}

// subject returns a quarantined pod, or nil.
func (a *actor) subject() *metav1.ObjectMeta {
	if len(a.quarantined) == 0 {
		return nil
	}
	return a.quarantined[a.random.IntN(len(a.quarantined))]
}

func (a *actor) hold(ctx context.Context) {
	a.change(ctx, map[string]any{quarantine.HoldKey: quarantine.True}, nil)
}

func (a *actor) extend(ctx context.Context) {
	a.change(ctx, map[string]any{quarantine.ExtendKey: keptLong}, nil)
}

func (a *actor) unhold(ctx context.Context) {
	a.change(ctx, map[string]any{quarantine.HoldKey: nil}, func(p *protection) { p.held = false })
}

func (a *actor) release(ctx context.Context) {
	a.change(ctx, map[string]any{quarantine.TriggerKey: nil}, func(p *protection) { *p = protection{} })
}

// change annotates a quarantined pod. A pod that loses its protection does so before the
// request is sent, and gets it back if that is refused.
func (a *actor) change(ctx context.Context, annotations map[string]any, unprotect func(*protection)) {
	pod := a.subject()
	if pod == nil {
		return
	}
	before := a.protectionOf(pod)
	if unprotect != nil {
		after := before
		unprotect(&after)
		a.setProtection(pod, after)
	}
	stored, err := a.annotate(ctx, pod.Name, annotations)
	switch a.result(err) {
	case admitted:
		if stored.UID == pod.UID && unprotect == nil {
			a.protect(stored)
		}
	case refused:
		a.setProtection(pod, before)
	}
	if apierrors.IsNotFound(err) {
		a.forget(pod)
	}
}

func (a *actor) forget(pod *metav1.ObjectMeta) {
	for i, other := range a.quarantined {
		if other == pod {
			a.quarantined = append(a.quarantined[:i], a.quarantined[i+1:]...)
			return
		}
	}
}

// toggleService creates the actor's Service, or deletes it when the webhook has had to know it
// for a while.
func (a *actor) toggleService(ctx context.Context) {
	services := a.client.CoreV1().Services(a.namespace)
	if old := a.service; old != nil {
		if time.Since(old.created) < 2*watchcache.MaxAge {
			return
		}
		a.service = nil // It does not count any longer, whether it is deleted or not.
		if err := services.Delete(ctx, old.name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			old.created = time.Time{}
			a.service = old
		}
		return
	}
	a.createService(ctx)
}

func (a *actor) createService(ctx context.Context) {
	services := a.client.CoreV1().Services(a.namespace)
	a.services++
	created := &service{name: fmt.Sprintf("zone-%d-%d", a.number, a.services)}
	a.service = created
	if _, err := services.Create(ctx, gen.Service(created.name, a.zone), metav1.CreateOptions{}); err == nil {
		created.created = time.Now()
	}
}

// leave leaves a Service behind that selects the pods that were not detached from it.
func (a *actor) leave() {
	a.Helper()
	waiting.Until(a, func() bool {
		a.createService(a.Context())
		return !a.service.created.IsZero()
	}, "a Service is created")
}

// annotate sets annotations of a pod, or removes those that are nil.
func (a *actor) annotate(ctx context.Context, name string, annotations map[string]any) (*corev1.Pod, error) {
	patch := annotationPatch(annotations)
	return a.client.CoreV1().Pods(a.namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
}
