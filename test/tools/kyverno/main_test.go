package kyverno

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
	"isolate.example.io/test/gen"
)

// example is the folder of the shipped example.
const example = "manifests/examples/kyverno"

// The tests share a control plane with isolate, Kyverno and the example's role. Each test
// applies the policy for a label of its own, so that no test's policy acts on another's pods.
var (
	cluster *controlplane.ControlPlane
	admin   *kubernetes.Clientset
	objects dynamic.Interface
	kyverno []*controlplane.Process
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if cluster, _, err = s.Isolated(installation.Options{}); err != nil {
			return err
		}
		if admin, err = kubernetes.NewForConfig(cluster.Config()); err != nil {
			return err
		}
		if objects, err = dynamic.NewForConfig(cluster.Config()); err != nil {
			return err
		}
		if err := installKyverno(s); err != nil {
			return fmt.Errorf("installing Kyverno: %w", err)
		}
		return applyExample(s.Context)
	})
}

// applyExample installs the example as its page says. Kyverno's webhook, which checks the
// policy, may not serve yet.
func applyExample(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	err = poll(ctx, func() error { return kubectl(ctx, "apply", "--kustomize="+filepath.Join(root, example)) })
	if err == nil {
		err = waitForPolicy(ctx)
	}
	if err != nil {
		for _, process := range kyverno {
			err = errors.Join(err, process.Err())
		}
	}
	return err
}

// waitForPolicy labels a pod until Kyverno quarantines it. Its webhook's configuration has to
// reach the API server, and its background controller has to lead.
func waitForPolicy(ctx context.Context) error {
	pods := admin.CoreV1().Pods(metav1.NamespaceDefault)
	if _, err := pods.Create(ctx, gen.Pod("probe"), metav1.CreateOptions{}); err != nil {
		return err
	}
	return poll(ctx, func() error {
		for _, value := range []string{"null", `"true"`} {
			patch := fmt.Appendf(nil, `{"metadata": {"labels": {%q: %s}}}`, compromised, value)
			pod, err := pods.Patch(ctx, "probe", types.MergePatchType, patch, metav1.PatchOptions{})
			if err != nil {
				return err
			}
			if pod.Labels[quarantine.QuarantinedLabel] != "" {
				return nil
			}
		}
		return errors.New("Kyverno has not quarantined the probe")
	})
}

// shippedPolicy returns the example's policy.
func shippedPolicy(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, example, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	policy := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(data, &policy.Object); err != nil {
		t.Fatal(err)
	}
	return policy
}
