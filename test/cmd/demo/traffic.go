package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	// workloadImage is the image with the application that answers; "make demo-image"
	// writes it.
	workloadImage = "isolate.example.io/workload:dev"

	clientName = "client"
	// memory is what the broken pod has in its memory alone.
	memory = "order-4711"
	failed = "failed"
)

// pullable returns an error if the cluster can't get the application's image.
func (s *stage) pullable(pods map[string]corev1.Pod) error {
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil && slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"}, waiting.Reason) {
				return fmt.Errorf("the cluster has no image %s; load it with \"kind load image-archive dist/demo-image.tar\" after \"make demo-image\", or push it and name it with DEMO_IMAGE=: %s", s.image, waiting.Message)
			}
		}
	}
	return nil
}

// requests waits for the next second of the client's traffic that satisfies the
// condition, prints it, and returns how many requests each pod answered.
func (s *stage) requests(what string, condition func(counts map[string]int) bool) error {
	var line string
	err := s.until(what, func() (bool, error) {
		out, err := s.kubectlCommand("logs", "-n", s.namespace, clientName, "--tail=1").Output()
		if err != nil {
			return false, nil //nolint:nilerr // The client's container may still be starting.
		}
		line = strings.TrimSpace(string(out))
		return condition(counted(line)), nil
	})
	fmt.Printf("\nRequests in a second, by who answered:\n  %s\n", strings.Join(strings.Fields(line), "\n  "))
	return err
}

// counted reads a line of the client, such as "web-1=52 failed=49".
func counted(line string) map[string]int {
	counts := map[string]int{}
	for field := range strings.FieldsSeq(line) {
		name, number, _ := strings.Cut(field, "=")
		if count, err := strconv.Atoi(number); err == nil {
			counts[name] = count
		}
	}
	return counts
}

// breakDown has the pod fail, with something in its memory that explains why.
func (s *stage) breakDown(broken string) error {
	if !s.real {
		return nil
	}
	s.title("Both answer, until one of them doesn't. Its memory has the reason.")
	if err := s.requests("both pods answer", func(counts map[string]int) bool {
		return len(counts) == replicas && counts[failed] == 0
	}); err != nil {
		return err
	}
	if err := errors.Join(s.inside(broken, "post", "/value/"+memory), s.inside(broken, "post", "/fault/error")); err != nil {
		return err
	}
	return s.requests("requests fail", func(counts map[string]int) bool { return counts[failed] > 0 && counts[broken] == 0 })
}

// recovered checks that the others answer every request.
func (s *stage) recovered(broken string) error {
	if !s.real {
		return nil
	}
	return s.requests("no request fails", func(counts map[string]int) bool {
		return len(counts) == replicas && counts[failed] == 0 && counts[broken] == 0
	})
}

// lookInto shows that the container was not restarted.
func (s *stage) lookInto(broken string) error {
	if !s.real {
		return nil
	}
	s.title("Its process still runs and has its memory.")
	if err := s.inside(broken, "get", "/value"); err != nil {
		return err
	}
	out, err := s.kubectlCommand("exec", "-n", s.namespace, broken, "--", "/bin/workload", "get", "/value").Output()
	if err != nil {
		return fmt.Errorf("reading the value in the pod's memory: %w", err)
	}
	if string(out) != memory+"\n" {
		return fmt.Errorf("the pod should have %s in its memory, but has %q", memory, out)
	}
	return s.kubectl("logs", "-n", s.namespace, broken)
}

// inside runs the application's own command line in its pod.
func (s *stage) inside(pod string, args ...string) error {
	return s.kubectl(append([]string{"exec", "-n", s.namespace, pod, "--", "/bin/workload"}, args...)...)
}
