package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/shop"
	"isolate.example.io/test/framework/waiting"
	"isolate.example.io/test/gen"
)

// Exit codes of the page's programs.
const (
	exitTryAgain = 1
	exitRefused  = 2
)

// programs are the page's programs, each with how to run it.
var programs = map[string]struct {
	by      string
	command func(t *testing.T, config *rest.Config) *exec.Cmd
}{
	"sh":     {"detected by curl", curl},
	"go":     {"detected by client-go", clientGo},
	"python": {"detected by Python", python},
}

// Each program quarantines a pod, says why isolate refuses the next one, and takes that for
// final. So it takes a pod that is gone.
func TestProgramsQuarantine(t *testing.T) {
	t.Parallel()
	for language, program := range programs {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := shop.Open(t, admin, 2, gen.Annotation(quarantine.ControllerBudgetKey, "1"))
			config := detector(t.Context(), t, s.Namespace, "patch", "delete")
			pods := s.Serving()

			run := func(pod string) (string, int) {
				return run(t, func() *exec.Cmd { return program.command(t, config) }, s.Namespace, pod)
			}
			out, code := run(pods[0])
			require.Zero(t, code, out)
			require.Contains(t, out, "quarantined")
			require.Equal(t, program.by, s.UntilOut(pods[0]).Annotations[quarantine.ReasonKey])

			out, code = run(pods[1])
			require.Equal(t, exitRefused, code, out)
			require.Contains(t, out, "refused: ")
			require.Contains(t, out, string(quarantine.ReasonControllerBudget))
			require.Contains(t, out, "1 of at most 1 pods of Deployment/web are already quarantined")
			require.Len(t, s.Quarantined(), 1)

			out, code = run("gone")
			require.Equal(t, exitRefused, code, out)
			require.Contains(t, out, "NotFound")
		})
	}
}

// run runs a program on a pod until it does not ask for another attempt, and returns what it
// prints and its exit code.
func run(t *testing.T, program func() *exec.Cmd, namespace, pod string) (out string, code int) {
	t.Helper()
	waiting.Until(t, func() bool {
		command := program()
		command.Env = append(os.Environ(), append(command.Env, "NAMESPACE="+namespace, "POD="+pod)...)
		output, err := command.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		out, code = string(output), command.ProcessState.ExitCode()
		return code != exitTryAgain
	}, "the program needs no other attempt")
	return out, code
}

// curl runs the page's shell script with the files that a container finds.
func curl(t *testing.T, config *rest.Config) *exec.Cmd {
	t.Helper()
	account := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(account, "token"), []byte(config.BearerToken), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(account, "ca.crt"), config.CAData, 0o600))
	command := exec.CommandContext(t.Context(), "bash", "-c", program(t, "sh"))
	command.Env = []string{"ACCOUNT=" + account, "SERVER=" + config.Host}
	return command
}

// detectorProgram builds the page's Go program with this repository's client-go, once.
var detectorProgram = sync.OnceValues(func() (path string, err error) {
	code, err := block("go")
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "detector")
	build := exec.Command("go", "build", "-o", path, source)
	if build.Dir, err = controlplane.Root(); err != nil {
		return "", err
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

func clientGo(t *testing.T, config *rest.Config) *exec.Cmd {
	t.Helper()
	path, err := detectorProgram()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), path)
	command.Env = kubeconfig(t, config)
	return command
}

func python(t *testing.T, config *rest.Config) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", program(t, "python")) // Debian's: it has Debian's package.
	command.Env = kubeconfig(t, config)
	return command
}

func kubeconfig(t *testing.T, config *rest.Config) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, controlplane.WriteKubeconfig(config, path))
	return []string{"KUBECONFIG=" + path}
}

// triggerTemplate is Argo Events' trigger template, as far as the page uses it.
type triggerTemplate struct {
	Template struct {
		K8s struct {
			Operation     string          `json:"operation"`
			PatchStrategy types.PatchType `json:"patchStrategy"`
			Source        struct {
				Resource map[string]any `json:"resource"`
			} `json:"source"`
			Parameters []struct {
				Src  struct{ DependencyName, DataKey string } `json:"src"`
				Dest string                                   `json:"dest"`
			} `json:"parameters"`
		} `json:"k8s"`
		Name string `json:"name"`
	} `json:"template"`
}

// Argo Events reads the object, and then patches it with the resource into which it has put
// the parameters. It creates what it does not find.
func TestArgoEventsTriggerQuarantines(t *testing.T) {
	t.Parallel()
	s := shop.Open(t, admin, 1)
	client, err := dynamic.NewForConfig(detector(t.Context(), t, s.Namespace, "get", "patch", "delete"))
	require.NoError(t, err)
	pod := s.Serving()[0]
	require.NoError(t, argoEvents(t.Context(), t, client, map[string]string{"body.namespace": s.Namespace, "body.pod": pod}))
	require.Equal(t, "detected by Argo Events", s.UntilOut(pod).Annotations[quarantine.ReasonKey])

	err = argoEvents(t.Context(), t, client, map[string]string{"body.namespace": s.Namespace, "body.pod": "gone"})
	require.ErrorContains(t, err, "cannot create resource", "without create, a pod that is gone is not created")
}

// argoEvents sends the requests of the page's trigger for an event.
func argoEvents(ctx context.Context, t *testing.T, client dynamic.Interface, event map[string]string) error {
	t.Helper()
	var shown triggerTemplate
	require.NoError(t, yaml.UnmarshalStrict([]byte(program(t, "yaml")), &shown))
	k8s := shown.Template.K8s
	require.Equal(t, "patch", k8s.Operation)
	resource := &unstructured.Unstructured{Object: k8s.Source.Resource}
	for _, parameter := range k8s.Parameters {
		value, known := event[parameter.Src.DataKey]
		require.True(t, known, parameter.Src.DataKey)
		require.NoError(t, unstructured.SetNestedField(resource.Object, value, strings.Split(parameter.Dest, ".")...))
	}
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(resource.GetNamespace())
	if _, err := pods.Get(ctx, resource.GetName(), metav1.GetOptions{}); err != nil {
		_, err = pods.Create(ctx, resource, metav1.CreateOptions{})
		return err
	}
	body, err := json.Marshal(resource)
	require.NoError(t, err)
	_, err = pods.Patch(ctx, resource.GetName(), k8s.PatchStrategy, body, metav1.PatchOptions{})
	return err
}
