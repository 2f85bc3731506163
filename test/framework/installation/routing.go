package installation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/services"
)

// service returns the stand-in for the webhook's Service.
func (i *Installation) service(ctx context.Context) (*services.Service, error) {
	service := &corev1.Service{}
	if err := i.client.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: "isolate-webhook"}, service); err != nil {
		return nil, err
	}
	port := strconv.Itoa(int(service.Spec.Ports[0].Port))
	return i.controlPlane.Service(net.JoinHostPort(service.Spec.ClusterIP, port)), nil
}

// serve adds a webhook replica to the Service and returns once it gets connections.
func (i *Installation) serve(ctx context.Context, p *Program) error {
	service, err := i.service(ctx)
	if err != nil {
		return err
	}
	address, err := i.options.Link.Address("kube-apiserver", filepath.Base(p.Dir), net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)))
	if err != nil {
		return err
	}
	p.Delete = service.Add(services.Backend{
		Address: address, Ready: p.Ready, Period: i.options.ProbePeriod, Lag: i.options.ProbeLag,
	})
	return i.waitUntil(ctx, "the Service sends connections to "+address, func(context.Context) bool {
		return slices.Contains(service.Serving(), address)
	})
}

// waitForPolicies waits until each policy denies a dry run of a write that it must
// deny.
func (i *Installation) waitForPolicies(ctx context.Context) error {
	dry := client.NewDryRunClient(i.client)
	target, err := i.aPod(ctx)
	if err != nil {
		return err
	}
	touch := func(object client.Object) { object.SetAnnotations(map[string]string{quarantine.ReasonKey: "probe"}) }
	return i.waitUntil(ctx, "the policies are effective", func(ctx context.Context) bool {
		born := probe()
		born.Labels = map[string]string{quarantine.QuarantinedLabel: quarantine.QuarantinedValue}
		binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node-0"}}
		touch(binding)
		status := target.DeepCopy()
		touch(status)
		for _, err := range []error{
			dry.Create(ctx, born),
			dry.SubResource("binding").Create(ctx, target.DeepCopy(), binding),
			dry.Status().Patch(ctx, status, client.MergeFrom(target)),
		} {
			if status := apierrors.APIStatus(nil); !errors.As(err, &status) || !refusal(status.Status()) {
				return false
			}
		}
		return true
	})
}

func refusal(status metav1.Status) bool {
	return status.Reason == metav1.StatusReasonInvalid || status.Reason == metav1.StatusReasonForbidden
}

// waitForWebhook waits until the webhook changes a dry run of a write.
func (i *Installation) waitForWebhook(ctx context.Context) error {
	dry := client.NewDryRunClient(i.client)
	return i.waitUntil(ctx, "the API server calls the webhook", func(ctx context.Context) bool {
		pod := probe()
		pod.Annotations = map[string]string{quarantine.TriggerKey: quarantine.True}
		err := dry.Create(ctx, pod)
		return err == nil && len(pod.Annotations) == 0
	})
}

func (i *Installation) waitUntil(ctx context.Context, what string, condition func(context.Context) bool) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) { return condition(ctx), nil })
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}

// aPod returns one of isolate's own pods, which the Deployments create.
func (i *Installation) aPod(ctx context.Context) (*corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := i.waitUntil(ctx, "there are pods in "+Namespace, func(ctx context.Context) bool {
		return i.client.List(ctx, pods, client.InNamespace(Namespace)) == nil && len(pods.Items) > 0
	})
	if err != nil {
		return nil, err
	}
	return &pods.Items[0], nil
}

func probe() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "probe-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
	}
}
