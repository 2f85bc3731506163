package pods

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"isolate.example.io/quarantine"
)

// SlicesWith returns the names of the EndpointSlices that have a pod as an endpoint.
func (c *Cluster) SlicesWith(ctx context.Context, namespace string, pod types.UID) ([]string, error) {
	names, _, err := c.slicesWith(ctx, namespace, pod)
	return names, err
}

func (c *Cluster) slicesWith(ctx context.Context, namespace string, pod types.UID) (names []string, resourceVersion string, err error) {
	list, err := c.Client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, "", err
	}
	for i := range list.Items {
		if slices.ContainsFunc(list.Items[i].Endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil && e.TargetRef.UID == pod }) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names, list.ResourceVersion, nil
}

// UntilOut waits until no EndpointSlice has the pod. If the context ends first, it returns
// those that still have it.
func (c *Cluster) UntilOut(ctx context.Context, namespace string, pod types.UID) (still []string, err error) {
	err = until(ctx, func(ctx context.Context) (string, bool, error) {
		names, version, err := c.slicesWith(ctx, namespace, pod)
		if err == nil {
			still = names
		}
		return version, len(names) == 0, err
	}, c.Client.DiscoveryV1().EndpointSlices(namespace).Watch, "")
	return still, err
}

// UntilReplaced waits until the controller has a Ready pod that is not in before, and
// returns that pod. It returns nil if the controller has all its pods Ready without one.
func (c *Cluster) UntilReplaced(ctx context.Context, namespace string, controller *quarantine.SelectingObject, before []corev1.Pod) (replacement *corev1.Pod, err error) {
	selector := SelectorOf(controller)
	err = until(ctx, func(ctx context.Context) (string, bool, error) {
		list, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return "", false, err
		}
		ready := 0
		for i := range list.Items {
			pod := &list.Items[i]
			if !ownedBy(pod, controller) || !IsReady(pod) {
				continue
			}
			ready++
			if !slices.ContainsFunc(before, func(known corev1.Pod) bool { return known.UID == pod.UID }) {
				replacement = pod
			}
		}
		return list.ResourceVersion, replacement != nil || ready >= int(controller.Desired), nil
	}, c.Client.CoreV1().Pods(namespace).Watch, selector)
	return replacement, err
}

// until calls check, and calls it again after each change, until it is done.
func until(ctx context.Context, check func(context.Context) (resourceVersion string, done bool, err error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error), selector string,
) error {
	for {
		version, done, err := check(ctx)
		if err != nil || done {
			return err
		}
		watcher, err := follow(ctx, metav1.ListOptions{ResourceVersion: version, LabelSelector: selector})
		if err != nil {
			return err
		}
		select {
		case <-watcher.ResultChan():
			watcher.Stop()
		case <-ctx.Done():
			watcher.Stop()
			return ctx.Err()
		}
	}
}
