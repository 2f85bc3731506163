package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
)

// The ways to take a pod out of traffic.
const (
	byIsolate = "isolate"
	byPatch   = "a plain label patch, the labels known"
	byArticle = "pod, Service and Deployment read, then one label patched"
)

// traffic measures on a complete control plane how long a pod still gets traffic, and
// how long it takes until its replacement is Ready.
func (b *bench) traffic() error {
	c, err := b.startIsolated(controlplane.Options{})
	if err != nil {
		return err
	}
	ways := []string{byIsolate, byPatch, byArticle}
	for i := range ways {
		if err := c.deploy(b.ctx, fmt.Sprint("web-", i)); err != nil {
			return err
		}
	}
	out, replaced := map[string]figures.Sample{}, map[string]figures.Sample{}
	requests := map[string]int{}
	for round := range b.size(50, 3) {
		for i := range ways {
			at := (i + round) % len(ways)
			way := ways[at]
			untilOut, untilReplaced, n, err := b.isolatePod(c, fmt.Sprint("web-", at), way)
			if err != nil {
				return fmt.Errorf("%s: %w", way, err)
			}
			if round > 0 { // The first round is a warm-up.
				out[way], replaced[way], requests[way] = append(out[way], untilOut), append(replaced[way], untilReplaced), n
			}
		}
	}
	for _, control := range ways[1:] {
		var goal *figures.Goal
		if control == byPatch {
			goal = figures.AtMost(1.15)
		}
		b.add(figures.Figure{What: "until no EndpointSlice has the pod", Value: out[byIsolate], Control: control, ControlValue: out[control],
			Unit: figures.Milliseconds, Goal: goal})
		b.add(figures.Figure{What: "until the replacement is Ready", Value: replaced[byIsolate], Control: control, ControlValue: replaced[control],
			Unit: figures.Milliseconds, Goal: goal})
	}
	b.add(figures.Figure{What: "requests it takes", Value: figures.Sample{float64(requests[byIsolate])}, Control: byArticle,
		ControlValue: figures.Sample{float64(requests[byArticle])}, Goal: figures.ValueAtMost(1, figures.Count)})
	return nil
}

// deploy creates a Deployment of two pods and its Service.
func (c *cluster) deploy(ctx context.Context, name string) error {
	selector := map[string]string{"app": name}
	_, err := c.client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = c.client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: selector},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: selector},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}, metav1.CreateOptions{})
	return err
}

// isolatePod takes a pod of an app out of traffic in one of the ways. It returns the
// milliseconds until the pod was out and until it was replaced, both from before the
// first request, and the number of requests.
func (b *bench) isolatePod(c *cluster, app, way string) (untilOut, untilReplaced float64, requests int, err error) {
	serving, err := b.serving(c, app)
	if err != nil {
		return 0, 0, 0, err
	}
	pod := serving[0]
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	slices, err := c.client.DiscoveryV1().EndpointSlices(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + app})
	if err != nil {
		return 0, 0, 0, err
	}
	defer slices.Stop()
	pods, err := c.client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return 0, 0, 0, err
	}
	defer pods.Stop()
	start := time.Now()
	if requests, err = c.act(ctx, app, pod, way); err != nil {
		return 0, 0, 0, err
	}
	wasOut, err := seen(ctx, slices, func(o any) bool {
		slice, ok := o.(*discoveryv1.EndpointSlice)
		return ok && len(names(slice)) > 0 && !contains(names(slice), pod)
	})
	if err != nil {
		return 0, 0, 0, err
	}
	wasReplaced, err := seen(ctx, pods, func(o any) bool {
		p, ok := o.(*corev1.Pod)
		return ok && !contains(serving, p.Name) && ready(p)
	})
	if err != nil {
		return 0, 0, 0, err
	}
	err = c.client.CoreV1().Pods(namespace).Delete(ctx, pod, metav1.DeleteOptions{})
	return milliseconds(wasOut.Sub(start)), milliseconds(wasReplaced.Sub(start)), requests, err
}

// act sends the requests of a way.
func (c *cluster) act(ctx context.Context, app, name, way string) (requests int, err error) {
	switch way {
	case byIsolate:
		_, err := c.annotate(ctx, name, quarantine.TriggerKey, quarantine.True)
		return 1, err
	case byPatch:
		_, err := c.patch(ctx, name, `{"metadata":{"labels":{"app":"crashed-`+app+`"}}}`)
		return 1, err
	}
	pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	service, err := c.client.CoreV1().Services(namespace).Get(ctx, app, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	deployment, err := c.client.AppsV1().Deployments(namespace).Get(ctx, app, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	crashed := map[string]string{}
	for key := range deployment.Spec.Selector.MatchLabels {
		if service.Spec.Selector[key] != "" {
			crashed[key] = "crashed-" + pod.Labels[key]
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": crashed}})
	if err != nil {
		return 0, err
	}
	_, err = c.patch(ctx, name, string(patch))
	return 4, err
}

// serving waits until an app's EndpointSlice has exactly its two pods.
func (b *bench) serving(c *cluster, app string) (serving []string, err error) {
	err = b.until("two pods serve "+app, func(ctx context.Context) bool {
		list, err := c.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + app})
		if err != nil || len(list.Items) != 1 {
			return false
		}
		serving = names(&list.Items[0])
		return len(serving) == 2
	})
	return serving, err
}

// names returns the Ready pods of an EndpointSlice, sorted.
func names(slice *discoveryv1.EndpointSlice) []string {
	found := map[string]bool{}
	for _, endpoint := range slice.Endpoints {
		if ptr.Deref(endpoint.Conditions.Ready, false) {
			found[endpoint.TargetRef.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func contains(list []string, name string) bool { return slices.Contains(list, name) }

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// seen is when the watch delivered the event.
func seen(ctx context.Context, watcher watch.Interface, is func(object any) bool) (time.Time, error) {
	for {
		select {
		case event, ok := <-watcher.ResultChan():
			if !ok {
				return time.Time{}, errors.New("the watch ended")
			}
			if event.Type != watch.Deleted && is(event.Object) {
				return time.Now(), nil
			}
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}
