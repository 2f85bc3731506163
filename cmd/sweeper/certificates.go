package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"isolate.example.io/certs/authority"
	"isolate.example.io/clocks"
	"isolate.example.io/cmd/internal/command"
	"isolate.example.io/sweeper/events"
)

// manageCertificates makes the leader manage the webhook's certificate, if --self-signed is
// set.
func (o *options) manageCertificates(mgr manager.Manager, serverTime *clocks.ServerTime, publisher events.Publisher) error {
	if !o.selfSigned {
		return nil
	}
	return authority.Setup(mgr, authority.Options{
		Config:    o.certificates,
		Namespace: command.PodNamespace(defaultNamespace),
		Clock:     clock.RealClock{},
		Ahead:     func() time.Duration { return serverTime.Ahead(time.Now()) },
		Publish:   func(_ context.Context, e authority.Event) { publisher.Publish(certificateEvent(e)) },
		Metrics:   metrics.Registry,
	})
}

// certificateEvent returns an event about a Secret. The same note about another version of
// the Secret is another event.
func certificateEvent(e authority.Event) events.Event {
	return events.Event{
		Regarding: corev1.ObjectReference{
			APIVersion: corev1.SchemeGroupVersion.String(), Kind: "Secret",
			Namespace: e.Secret.Namespace, Name: e.Secret.Name, UID: e.Secret.UID, ResourceVersion: e.Secret.ResourceVersion,
		},
		Type: e.Type, Reason: e.Reason, Note: e.Note,
		DedupeKey: e.Secret.ResourceVersion + "\n" + e.Note,
	}
}
