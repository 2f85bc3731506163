package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/certs/authority"
)

func TestAnEventAboutACertificateIsAboutItsSecret(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "isolate-system", Name: "isolate-webhook-tls", UID: "uid-1", ResourceVersion: "7"}}
	first := certificateEvent(authority.Event{Secret: secret, Type: corev1.EventTypeWarning, Reason: "CertificateBlocked", Note: "It is immutable."})
	require.Equal(t, corev1.ObjectReference{
		APIVersion: "v1", Kind: "Secret", Namespace: "isolate-system", Name: "isolate-webhook-tls", UID: "uid-1", ResourceVersion: "7",
	}, first.Regarding)
	require.Equal(t, "CertificateBlocked", first.Reason)
	require.Equal(t, "It is immutable.", first.Note)

	later := secret.DeepCopy()
	later.ResourceVersion = "8"
	again := certificateEvent(authority.Event{Secret: later, Type: corev1.EventTypeWarning, Reason: "CertificateBlocked", Note: "It is immutable."})
	require.NotEqual(t, first.Name(), again.Name(), "another version is another event")
}
