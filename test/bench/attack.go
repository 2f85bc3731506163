package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/load"
)

// pace is the time between two quarantines, whether the one before was answered or not.
const pace = 50 * time.Millisecond

// attack measures quarantines while untrusted clients hold connections to the webhook's port: slow
// ones, ones with large bodies, and ones with garbage.
func (b *bench) attack() error {
	c, err := b.startIsolated(controlplane.Options{APIServerOnly: true})
	if err != nil {
		return err
	}
	names := make([]string, 16)
	for i := range names {
		names[i] = fmt.Sprint("target-", i)
		if _, err := c.client.CoreV1().Pods(namespace).Create(b.ctx, plainPod(names[i]), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	// The untrusted clients, the webhook and the API server share this machine. What the untrusted clients cost
	// the machine is measured by attacking another replica, which the API server does not call.
	other, err := c.isolate.StartWebhook(b.ctx)
	if err != nil {
		return err
	}
	other.Delete()
	if _, err := b.paced(c, names, time.Duration(b.size(10, 1))*time.Second); err != nil { // A warm-up.
		return err
	}
	quietFor := time.Duration(b.size(60, 2)) * time.Second
	before, err := b.paced(c, names, quietFor)
	if err != nil {
		return err
	}
	who := crowd{slow: b.size(5000, 50), large: b.size(200, 5), garbage: b.size(1000, 20)}
	elsewhere, _, err := b.attacked(c, names, other.Port, who, anotherHost)
	if err != nil {
		return err
	}
	attacked, opened, err := b.attacked(c, names, c.webhook().Port, who, anotherHost)
	if err != nil {
		return err
	}
	fromOwnHost, _, err := b.attacked(c, names, c.webhook().Port, who, apiServerHost)
	if err != nil {
		return err
	}
	after, err := b.paced(c, names, quietFor)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d slow, %d large and %d garbage connections: ", who.slow, who.large, who.garbage)
	b.addAttack(what, attacked, elsewhere.took, slices.Concat(before.took, after.took))
	b.addFromOwnHost(what, fromOwnHost, attacked.took)
	b.add(figures.Figure{What: what + "the webhook's resident memory at most", Value: figures.Sample{peak(c.webhook().PID())},
		Unit: figures.Bytes, Goal: figures.ValueAtMost(128<<20, figures.Bytes)})
	b.add(figures.Figure{What: what + "connections opened in all", Value: figures.Sample{opened}})
	return nil
}

// attacked quarantines pods while untrusted clients on a host hold connections to a port. It also
// returns how many connections they have opened.
func (b *bench) attacked(c *cluster, pods []string, port int, who crowd, host string) (answers, float64, error) {
	untrusted, err := b.startUntrusted(c, port, who, host)
	if err != nil {
		return answers{}, 0, err
	}
	cpu := load.MeasureCPU()
	all, err := b.paced(c, pods, time.Duration(b.size(120, 4))*time.Second)
	fmt.Println(cpu.Report())
	untrusted.Stop()
	if err != nil {
		return answers{}, 0, err
	}
	opened, err := openedBy(untrusted)
	return all, opened, err
}

// addAttack compares an attack with one at another replica, and with none.
func (b *bench) addAttack(what string, attacked answers, elsewhere, quiet figures.Sample) {
	const late = 0.99
	b.add(figures.Figure{What: what + "99 % of the quarantines are answered within", Value: figures.Sample{attacked.took.Quantile(late)},
		Control: "the same without them", ControlValue: figures.Sample{quiet.Quantile(late)}, Unit: figures.Milliseconds, Goal: figures.AtMost(1.5)})
	b.add(figures.Figure{What: what + "99 % of the quarantines are answered within", Value: figures.Sample{attacked.took.Quantile(late)},
		Control: "the same with the untrusted clients at another replica", ControlValue: figures.Sample{elsewhere.Quantile(late)}, Unit: figures.Milliseconds})
	b.add(figures.Figure{What: what + "the median", Value: figures.Sample{attacked.took.Median()},
		Control: "the same without them", ControlValue: figures.Sample{quiet.Median()}, Unit: figures.Milliseconds})
	b.add(attacked.unanswered(what))
}

// addFromOwnHost compares an attack from the API server's address with one from another.
func (b *bench) addFromOwnHost(what string, fromOwnHost answers, fromAnother figures.Sample) {
	what = "from the API server's address, " + what
	const late = 0.99
	b.add(figures.Figure{What: what + "99 % of the quarantines are answered within", Value: figures.Sample{fromOwnHost.took.Quantile(late)},
		Control: "from another address", ControlValue: figures.Sample{fromAnother.Quantile(late)}, Unit: figures.Milliseconds})
	b.add(fromOwnHost.unanswered(what))
}

// answers are the durations of the quarantines that were answered, in milliseconds.
type answers struct {
	took   figures.Sample
	failed int
}

func (a answers) unanswered(what string) figures.Figure {
	return figures.Figure{What: what + fmt.Sprintf("quarantines without an answer, of %d", len(a.took)+a.failed),
		Value: figures.Sample{float64(a.failed)}, Goal: figures.ValueAtMost(0, figures.Count)}
}

// paced quarantines pods in dry runs, one after the other, for a time. It does not wait for
// an answer before the next, so that a delay counts for every quarantine that it delays.
func (b *bench) paced(c *cluster, pods []string, d time.Duration) (answers, error) {
	var mu sync.Mutex
	var all answers
	var group sync.WaitGroup
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for i := range int(d / pace) {
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			return all, b.ctx.Err()
		}
		group.Go(func() {
			took, err := c.dryQuarantine(b.ctx, pods[i%len(pods)])
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all.failed++
				return
			}
			all.took = append(all.took, took)
		})
	}
	group.Wait()
	return all, nil
}

// dryQuarantine returns the milliseconds of a dry run.
func (c *cluster) dryQuarantine(ctx context.Context, name string) (float64, error) {
	start := time.Now()
	pod, err := c.client.CoreV1().Pods(namespace).Patch(ctx, name, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"`+quarantine.TriggerKey+`":"true"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	took := milliseconds(time.Since(start))
	if err == nil && !quarantinedPod(pod) {
		err = fmt.Errorf("pod %s was not quarantined", name)
	}
	return took, err
}

func quarantinedPod(pod *corev1.Pod) bool {
	return pod.Labels[quarantine.QuarantinedLabel] == quarantine.QuarantinedValue
}
