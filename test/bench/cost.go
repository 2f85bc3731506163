package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/alternatives"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/gen/workload"
	"isolate.example.io/webhook"
)

// cost measures the CPU and the allocations of one admission in the webhook's process.
func (b *bench) cost() error {
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	if err := b.createApps(c, 10, 1); err != nil {
		return err
	}
	review, err := b.review(c)
	if err != nil {
		return err
	}
	type subject struct {
		name, url string
		process   *process
	}
	own := c.webhook()
	subjects := []subject{{isolate, fmt.Sprintf("https://127.0.0.1:%d%s", own.Port, webhook.Path), asProcess(own)}}
	for _, name := range []string{floor, defaulter} {
		p, err := b.startAlternative(c, name)
		if err != nil {
			return err
		}
		subjects = append(subjects, subject{name, p.url(alternatives.Path), p})
	}
	cpu, allocations, bytes := map[string]figures.Sample{}, map[string]figures.Sample{}, map[string]figures.Sample{}
	n := b.size(3000, 200)
	for round := range b.size(9, 2) {
		for i := range subjects {
			s := subjects[(i+round)%len(subjects)]
			before, err := s.process.measures(b.ctx)
			if err != nil {
				return err
			}
			if err := b.post(s.url, review, n); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			after, err := s.process.measures(b.ctx)
			if err != nil {
				return err
			}
			each := func(metric string) float64 { return (after.sum(metric) - before.sum(metric)) / float64(n) }
			cpu[s.name] = append(cpu[s.name], 1e6*each("process_cpu_seconds_total"))
			allocations[s.name] = append(allocations[s.name], each("go_gc_heap_allocs_objects_total"))
			bytes[s.name] = append(bytes[s.name], each("go_gc_heap_allocs_bytes_total"))
		}
	}
	what := fmt.Sprintf("of one admission, a review of %d KB", len(review)/1000)
	for _, against := range []struct {
		name, is         string
		cpu, allocations *figures.Goal
	}{{floor, "the floor", figures.AtMost(1.15), figures.ValueAtMost(250, figures.Count)}, {name: defaulter, is: "WithDefaulter"}} {
		b.add(figures.Figure{What: "CPU " + what, Value: cpu[isolate], Control: against.is, ControlValue: cpu[against.name],
			Unit: figures.Microseconds, Goal: against.cpu})
		b.add(figures.Figure{What: "allocations " + what, Value: allocations[isolate], Control: against.is, ControlValue: allocations[against.name], Goal: against.allocations})
		b.add(figures.Figure{What: "bytes allocated " + what, Value: bytes[isolate], Control: against.is, ControlValue: bytes[against.name], Unit: figures.Bytes})
	}
	return nil
}

// review returns the AdmissionReview for the quarantine of an app's pod, with the UID
// that its ReplicaSet has in this cluster.
func (b *bench) review(c *cluster) ([]byte, error) {
	app := workload.App{Namespace: namespace, Number: 1}
	owner := app.Pod("").OwnerReferences[0]
	stored, err := c.client.AppsV1().ReplicaSets(namespace).Get(b.ctx, owner.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	review, err := app.Review(map[string]string{quarantine.TriggerKey: quarantine.True, quarantine.ReasonKey: "logins hang"})
	return bytes.ReplaceAll(review, []byte(owner.UID), []byte(stored.UID)), err
}

// post sends a review repeatedly over one connection, like the API server.
func (b *bench) post(url string, review []byte, n int) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, // Its own process, on loopback.
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range n {
		request, err := http.NewRequestWithContext(b.ctx, http.MethodPost, url, bytes.NewReader(review))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		if !bytes.Contains(answer, []byte(`"patch":`)) {
			return fmt.Errorf("no patch: %s", answer)
		}
	}
	return nil
}
