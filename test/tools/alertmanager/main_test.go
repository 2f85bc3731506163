package alertmanager

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/kubectl"
	"isolate.example.io/test/framework/suite"
)

const (
	// example is the shipped example, and exampleNamespace the namespace that it allows.
	example          = "manifests/examples/alertmanager"
	exampleNamespace = "shop"

	// token is the receiver's token in all tests.
	token = "0123456789abcdef0123456789abcdef"
)

// The tests share a control plane with isolate and the example installed. Each test uses its
// own namespace and its own replicas of the receiver.
var (
	root     string
	tools    string
	cluster  *controlplane.ControlPlane
	isolated *installation.Installation
	admin    *kubernetes.Clientset

	// tokenFile is the receiver's mounted Secret.
	tokenFile string
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if root, err = controlplane.Root(); err != nil {
			return err
		}
		if tools, err = controlplane.Alertmanager(s.Context, os.Stderr); err != nil {
			return err
		}
		tokenFile = filepath.Join(s.Dir, "token")
		if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
			return err
		}
		if cluster, isolated, err = s.Isolated(installation.Options{}); err != nil {
			return err
		}
		if admin, err = kubernetes.NewForConfig(cluster.Config()); err != nil {
			return err
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: exampleNamespace}}
		if _, err := admin.CoreV1().Namespaces().Create(s.Context, namespace, metav1.CreateOptions{}); err != nil {
			return err
		}
		_, err = kubectl.Try(s.Context, cluster, nil, "apply", "--kustomize="+filepath.Join(root, example))
		return err
	})
}
