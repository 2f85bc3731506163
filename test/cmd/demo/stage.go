package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/quarantine"
)

const (
	patience     = 2 * time.Minute
	pollInterval = 5 * time.Millisecond
)

// services are the workload's Services.
var services = []string{workload, workload + "-metrics"}

// stage runs and prints commands, and checks their effects.
type stage struct {
	ctx    context.Context
	client kubernetes.Interface
	titles int

	// command is kubectl with the flags for the cluster; kubeconfig is empty for the
	// caller's own.
	command    []string
	kubeconfig string

	namespace, image string
	// ttl is long enough to look around and short enough to wait for.
	ttl time.Duration
	// real reports whether containers run, so that there is traffic.
	real bool
}

// newStage returns a stage on a cluster with simulated nodes.
func newStage(ctx context.Context, config *rest.Config, command []string, kubeconfig string) (*stage, error) {
	client, err := kubernetes.NewForConfig(config)
	return &stage{
		ctx: ctx, client: client, command: command, kubeconfig: kubeconfig,
		namespace: "ah", image: "registry.example.com/login-audit-trail-service:1.4.2", ttl: 10 * time.Second,
	}, err
}

func (s *stage) title(format string, args ...any) {
	s.titles++
	fmt.Printf("\n%d. %s\n", s.titles, fmt.Sprintf(format, args...))
}

// kubectl runs kubectl and prints the command and its output.
func (s *stage) kubectl(args ...string) error {
	cmd := s.kubectlCommand(args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	fmt.Printf("\n$ kubectl %s\n", quoted(cmd.Args[1:]))
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w", args[0], err)
	}
	fmt.Printf("(%s)\n", rounded(time.Since(start)))
	return nil
}

func (s *stage) kubectlCommand(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, s.command[0], append(s.command[1:len(s.command):len(s.command)], args...)...)
	if cmd.Env = os.Environ(); s.kubeconfig != "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+s.kubeconfig)
	}
	return cmd
}

// apply creates the workload without printing it.
func (s *stage) apply() error {
	manifest, err := template.New("incident").Parse(incident)
	if err != nil {
		return err
	}
	var yaml strings.Builder
	if err := manifest.Execute(&yaml, map[string]any{"Namespace": s.namespace, "Image": s.image, "Real": s.real}); err != nil {
		return err
	}
	cmd := s.kubectlCommand("apply", "-f", "-")
	cmd.Stdin = strings.NewReader(yaml.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("creating the workload: %w\n%s", err, out)
	}
	return nil
}

// quoted quotes the arguments for a shell.
func quoted(args []string) string {
	typed := make([]string, len(args))
	for i, arg := range args {
		if typed[i] = arg; strings.ContainsAny(arg, ` {}"`) {
			typed[i] = "'" + arg + "'"
		}
	}
	return strings.Join(typed, " ")
}

func (s *stage) until(what string, condition func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(s.ctx, pollInterval, patience, true, func(context.Context) (bool, error) { return condition() })
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}

func (s *stage) pod(name string) (*corev1.Pod, error) {
	return s.client.CoreV1().Pods(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
}

// pods returns the application's pods by name.
func (s *stage) pods() (map[string]corev1.Pod, error) {
	list, err := s.client.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	pods := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		if pod.Name != clientName {
			pods[pod.Name] = pod
		}
	}
	return pods, nil
}

// serving returns the names of a Service's ready endpoints.
func (s *stage) serving(service string) ([]string, error) {
	list, err := s.client.DiscoveryV1().EndpointSlices(s.namespace).List(s.ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if *endpoint.Conditions.Ready {
				names = append(names, endpoint.TargetRef.Name)
			}
		}
	}
	return names, nil
}

// servesAll returns an error unless every Service has exactly these pods.
func (s *stage) servesAll(pods map[string]corev1.Pod) error {
	for _, service := range services {
		names, err := s.serving(service)
		if err != nil {
			return err
		}
		if len(names) != len(pods) {
			return fmt.Errorf("service %s has %d pods", service, len(names))
		}
		for _, name := range names {
			if _, ok := pods[name]; !ok {
				return fmt.Errorf("service %s has the pod %s", service, name)
			}
		}
	}
	return nil
}

// isOut reports whether no Service has the pod.
func (s *stage) isOut(pod corev1.Pod) (bool, error) {
	for _, service := range services {
		names, err := s.serving(service)
		if err != nil || slices.Contains(names, pod.Name) {
			return false, err
		}
	}
	return true, nil
}

// isQuarantined returns an error unless the pod runs, is quarantined and has no owner.
func (s *stage) isQuarantined(name string) error {
	pod, err := s.pod(name)
	if err != nil {
		return err
	}
	var errs []error
	expect := func(ok bool, message string) {
		if !ok {
			errs = append(errs, errors.New(message))
		}
	}
	expect(pod.Status.Phase == corev1.PodRunning, "the pod does not run")
	expect(len(pod.OwnerReferences) == 0, "the pod has an owner")
	expect(pod.Labels[quarantine.QuarantinedLabel] == quarantine.QuarantinedValue, "the pod lacks the label")
	for _, key := range []string{quarantine.QuarantinedAtKey, quarantine.ExpiresAtKey, quarantine.QuarantinedByKey, quarantine.RecordKey} {
		expect(pod.Annotations[key] != "", "the pod lacks the annotation "+key)
	}
	return errors.Join(errs...)
}
