package kyverno

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/services"
	"isolate.example.io/test/framework/suite"
)

const (
	kyvernoNamespace = "kyverno"

	// manifest is Kyverno's installation manifest, in its module.
	manifest = "config/install-latest-testing.yaml"
)

// component is one of Kyverno's Deployments, whose program runs as a process.
type component struct {
	deployment, program string
	flags               []string
}

// installKyverno applies Kyverno's manifest and starts its programs.
func installKyverno(s *suite.Suite) error {
	programs, err := controlplane.Kyverno(s.Context, os.Stderr)
	if err != nil {
		return err
	}
	module, err := moduleFolder(s.Context)
	if err != nil {
		return err
	}
	if err := kubectl(s.Context, "apply", "--server-side", "--filename="+filepath.Join(module, manifest)); err != nil {
		return err
	}
	if err := kubectl(s.Context, "wait", "--for=condition=Established", "--timeout=2m", "customresourcedefinitions", "--all"); err != nil {
		return err
	}
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		return err
	}
	port := strconv.Itoa(ports[0])
	for _, c := range []component{
		{
			deployment: "kyverno-admission-controller", program: "kyverno",
			flags: []string{"--webhookServerHost=127.0.0.1", "--webhookServerPort=" + port},
		},
		{deployment: "kyverno-background-controller", program: "background-controller"},
	} {
		process, err := c.start(s, programs)
		if err != nil {
			return fmt.Errorf("starting %s: %w", c.deployment, err)
		}
		s.Cleanup(func() error { process.Kill(); return nil })
		kyverno = append(kyverno, process)
	}
	return serve(s.Context, net.JoinHostPort("127.0.0.1", port))
}

// moduleFolder returns the folder of Kyverno's module, in the version that is built.
func moduleFolder(ctx context.Context) (string, error) {
	root, err := controlplane.Root()
	if err != nil {
		return "", err
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kyverno/kyverno")
	list.Dir = filepath.Join(root, "test", "cmd", "kyverno")
	list.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := list.Output()
	return strings.TrimSpace(string(out)), err
}

// start starts the program of a Deployment with its flags and environment, but on the
// loopback address, and with free ports for the metrics.
func (c component) start(s *suite.Suite, programs string) (*controlplane.Process, error) {
	deployment, err := admin.AppsV1().Deployments(kyvernoNamespace).Get(s.Context, c.deployment, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	pod := deployment.Spec.Template.Spec
	config, err := cluster.ServiceAccountConfig(s.Context, kyvernoNamespace, pod.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.Dir, c.deployment)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := controlplane.WriteKubeconfig(config, kubeconfig); err != nil {
		return nil, err
	}
	args := slices.Concat(environment(deployment), []string{filepath.Join(programs, c.program)}, pod.Containers[0].Args,
		[]string{"--kubeconfig=" + kubeconfig, "--metricsHost=127.0.0.1", "--metricsPort=0", "--controllerRuntimeMetricsAddress=0"}, c.flags)
	return controlplane.StartProcess(dir, c.program, "/usr/bin/env", args...)
}

// environment returns the environment of a Deployment's container, as the kubelet sets it.
func environment(deployment *appsv1.Deployment) []string {
	fields := map[string]string{"metadata.namespace": deployment.Namespace, "metadata.name": deployment.Name}
	var env []string
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			value = fields[variable.ValueFrom.FieldRef.FieldPath]
		}
		env = append(env, variable.Name+"="+value)
	}
	return env
}

// serve puts the admission controller behind its Service.
func serve(ctx context.Context, address string) error {
	service, err := admin.CoreV1().Services(kyvernoNamespace).Get(ctx, "kyverno-svc", metav1.GetOptions{})
	if err != nil {
		return err
	}
	// Kubelets do not verify certificates in probes either.
	probe := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	backend := services.Backend{
		Address: address, Period: 100 * time.Millisecond,
		Ready: func(ctx context.Context) bool {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/health/readiness", nil)
			if err != nil {
				return false
			}
			response, err := probe.Do(request)
			if err != nil {
				return false
			}
			defer response.Body.Close()
			return response.StatusCode == http.StatusOK
		},
	}
	cluster.Service(net.JoinHostPort(service.Spec.ClusterIP, servicePort(service))).Add(backend) //nolint:contextcheck // It probes until the control plane stops.
	return nil
}

func servicePort(service *corev1.Service) string {
	return strconv.Itoa(int(service.Spec.Ports[0].Port))
}

func kubectl(ctx context.Context, args ...string) error {
	out, err := cluster.KubectlCommand(ctx, args...).CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("kubectl %s: %w", args[0], err), errors.New(string(out)))
	}
	return nil
}
