package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/tools/clientcmd"

	"isolate.example.io/certs/authority"
)

var errNodeAndContext = errors.New("--node and --context exclude each other")

// runOnCluster plays the incident on a cluster with isolate, in a namespace of its own.
func runOnCluster(ctx context.Context, contextName, image string) (err error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{CurrentContext: contextName}).ClientConfig()
	if err != nil {
		return err
	}
	s, err := newStage(ctx, config, []string{"kubectl", "--context=" + contextName}, "")
	if err != nil {
		return err
	}
	s.playReal(image)
	s.namespace = "isolate-demo-" + rand.String(5)
	_, err = s.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, authority.Configuration, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the cluster of context %s has no isolate; install it with kubectl apply --server-side -k manifests/overlays/default", contextName)
	}
	if err != nil {
		return err
	}
	defer func() {
		// After an interrupt too.
		s.ctx = context.WithoutCancel(ctx)
		err = errors.Join(err, s.kubectl("delete", "namespace", s.namespace, "--ignore-not-found"))
	}()
	return s.play()
}

// playReal prepares the stage for containers that run.
func (s *stage) playReal(image string) {
	s.image, s.real, s.ttl = image, true, 30*time.Second
}
