package main

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"isolate.example.io/quarantine"
)

//go:embed incident.yaml
var incident string

const (
	workload = "login-audit-trail-service"
	replicas = 2
)

// play plays the incident and checks every step.
func (s *stage) play() error {
	broken, err := s.before()
	if err != nil {
		return err
	}
	trigger := []string{
		"annotate", "pod", "-n", s.namespace, broken,
		quarantine.TriggerKey + "=true", quarantine.TTLKey + "=" + s.ttl.String(), quarantine.ReasonKey + "=logins hang",
	}
	for _, scene := range []func() error{
		func() error { return s.breakDown(broken) },
		func() error { return s.dryRun(broken, trigger) },
		func() error { return s.isolate(broken, trigger) },
		func() error { return s.recovered(broken) },
		func() error { return s.lookAt(broken) },
		func() error { return s.lookInto(broken) },
		func() error { return s.expire(broken) },
	} {
		if err := scene(); err != nil {
			return err
		}
	}
	fmt.Println("\nThe demo checked all of this while it happened.")
	return nil
}

// before creates the workload and picks the broken pod.
func (s *stage) before() (broken string, err error) {
	s.title("Two pods serve %s; two Services select them, by different labels. One of the pods is broken.", workload)
	if err := s.apply(); err != nil {
		return "", err
	}
	if err := s.until("the pods are in both Services", func() (bool, error) {
		pods, err := s.pods()
		return len(pods) == replicas && s.servesAll(pods) == nil, errors.Join(err, s.pullable(pods))
	}); err != nil {
		return "", err
	}
	pods, err := s.pods()
	if err != nil {
		return "", err
	}
	return slices.Min(slices.Collect(maps.Keys(pods))), errors.Join(
		s.kubectl("get", "pods", "-n", s.namespace, "--show-labels"),
		s.kubectl("get", "endpointslices", "-n", s.namespace),
	)
}

func (s *stage) dryRun(broken string, trigger []string) error {
	s.title("What would a quarantine do? A dry run shows it and changes nothing.")
	before, err := s.pod(broken)
	if err != nil {
		return err
	}
	if err := s.kubectl(append(trigger, "--dry-run=server", "-o", `jsonpath={.metadata.labels}{"\n"}`)...); err != nil {
		return err
	}
	after, err := s.pod(broken)
	if err != nil {
		return err
	}
	if after.ResourceVersion != before.ResourceVersion {
		return errors.New("the dry run changed the pod")
	}
	return s.kubectl("get", "pod", "-n", s.namespace, broken, "--show-labels")
}

func (s *stage) isolate(broken string, trigger []string) error {
	s.title("Quarantine the broken pod.")
	before, err := s.pods()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := s.kubectl(trigger...); err != nil {
		return err
	}
	if err := s.until("no EndpointSlice has the pod", func() (bool, error) { return s.isOut(before[broken]) }); err != nil {
		return err
	}
	out := time.Since(start)
	if err := s.until("its replacement serves", func() (bool, error) {
		pods, err := s.pods()
		delete(pods, broken)
		return len(pods) == replicas && s.servesAll(pods) == nil, err
	}); err != nil {
		return err
	}
	fmt.Printf("\nThe pod was out of every EndpointSlice %s after the command was entered, and its replacement was serving after %s.\n",
		rounded(out), rounded(time.Since(start)))
	return nil
}

func (s *stage) lookAt(broken string) error {
	s.title("It keeps running while you find out what is wrong with it. Two other pods serve.")
	if err := errors.Join(
		s.kubectl("get", "pods", "-n", s.namespace, "--show-labels"),
		s.kubectl("get", "endpointslices", "-n", s.namespace),
		s.kubectl("get", "pod", "-n", s.namespace, broken, "-o",
			`jsonpath=labels: {.metadata.labels}{"\n"}owners: {.metadata.ownerReferences}{"\n"}annotations: {.metadata.annotations}{"\n"}`),
	); err != nil {
		return err
	}
	return s.isQuarantined(broken)
}

func (s *stage) expire(broken string) error {
	s.title("Nobody holds or extends it, so isolate deletes it when it expires.")
	pod, err := s.pod(broken)
	if err != nil {
		return err
	}
	due, err := time.Parse(time.RFC3339, pod.Annotations[quarantine.ExpiresAtKey])
	if err != nil {
		return err
	}
	if err := s.kubectl("wait", "--for=delete", "pod", "-n", s.namespace, broken, "--timeout=60s"); err != nil {
		return err
	}
	gone := time.Now()
	if gone.Before(due) {
		return fmt.Errorf("the pod was deleted at %s, before it expired at %s", gone, due)
	}
	if err := s.kubectl("get", "pods", "-n", s.namespace); err != nil {
		return err
	}
	pods, err := s.pods()
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(pods))
	if len(names) != replicas || slices.Contains(names, broken) {
		return fmt.Errorf("there should be %d pods and not %s, but there are %s", replicas, broken, strings.Join(names, ", "))
	}
	fmt.Printf("\nIt expired at %s; kubectl saw it deleted %s later.\n", due.Format(time.TimeOnly), rounded(gone.Sub(due)))
	return nil
}
