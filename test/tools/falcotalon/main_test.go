package falcotalon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
)

// Falco Talon's namespace and ServiceAccount, as its Helm chart names them.
const (
	talonNamespace = "falco"
	serviceAccount = "falco-talon"
)

// example is the folder of the shipped example.
const example = "manifests/examples/falco-talon"

var (
	cluster *controlplane.ControlPlane
	admin   *kubernetes.Clientset

	// talon is Falco Talon's client.
	talon *kubernetes.Clientset

	// shipped are the rules and the actions of the example.
	shipped []entry
)

// entry is an action or a rule in Falco Talon's rules file.
type entry struct {
	Action     string `json:"action"`
	Actionner  string `json:"actionner"`
	Parameters struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"parameters"`

	Rule  string `json:"rule"`
	Match struct {
		Rules        []string `json:"rules"`
		OutputFields []string `json:"output_fields"`
	} `json:"match"`
	Actions []struct {
		Action string `json:"action"`
	} `json:"actions"`
}

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		if cluster, _, err = s.Isolated(installation.Options{}); err != nil {
			return err
		}
		if admin, err = kubernetes.NewForConfig(cluster.Config()); err != nil {
			return err
		}
		if err := installTalon(s.Context); err != nil {
			return fmt.Errorf("installing Falco Talon's example: %w", err)
		}
		return nil
	})
}

// installTalon creates what Falco Talon's Helm chart would, and then applies the example.
func installTalon(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: talonNamespace}}
	if _, err := admin.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: serviceAccount}}
	if _, err := admin.CoreV1().ServiceAccounts(talonNamespace).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		return err
	}
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	apply := cluster.KubectlCommand(ctx, "apply", "--kustomize="+filepath.Join(root, example))
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	rules, err := os.ReadFile(filepath.Join(root, example, "rules.yaml"))
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(rules, &shipped); err != nil {
		return err
	}
	config, err := cluster.ServiceAccountConfig(ctx, talonNamespace, serviceAccount)
	if err != nil {
		return err
	}
	talon, err = kubernetes.NewForConfig(config)
	return err
}
