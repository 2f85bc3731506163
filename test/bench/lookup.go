package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/gen/workload"
)

// lookup measures how long it takes to find the objects that select a pod.
func (b *bench) lookup() error {
	counts := []int{100, 1_000, 5_000, 10_000, 100_000}
	scanned := 5_000
	if b.quick {
		counts, scanned = []int{100, 1_000}, 1_000
	}
	indexes := map[int]quarantine.Selectors{}
	for _, n := range counts {
		indexes[n] = index(n)
	}
	services := scannable(scanned)
	pods := make([]map[string]string, 50)
	for i := range pods {
		pods[i] = workload.App{Namespace: namespace, Number: i}.Labels(1)
	}
	byIndex := map[int]figures.Sample{}
	var byScan figures.Sample
	for range b.size(15, 3) {
		for _, n := range counts {
			took, err := each(100_000, pods, func(pod map[string]string) int { return len(indexes[n].Matching(pod)) })
			if err != nil {
				return err
			}
			byIndex[n] = append(byIndex[n], took)
		}
		took, err := each(100, pods, func(pod map[string]string) int { return scan(services, pod) })
		if err != nil {
			return err
		}
		byScan = append(byScan, took)
	}
	last := counts[len(counts)-1]
	b.add(figures.Figure{What: fmt.Sprintf("namespace scan, %d Services, beside the index", scanned), Value: byIndex[scanned],
		Control: "the scan", ControlValue: byScan, Unit: figures.Nanoseconds, Goal: figures.AtMost(0.001)})
	for _, n := range counts[1:] {
		f := figures.Figure{What: fmt.Sprintf("a lookup among %d selectors", n), Value: byIndex[n],
			Control: fmt.Sprintf("among %d", counts[0]), ControlValue: byIndex[counts[0]], Unit: figures.Nanoseconds}
		if n == last {
			f.Goal = figures.AtMost(1.2)
		}
		b.add(f)
	}
	return b.randomCases()
}

// index returns an index with n selectors, one for each app.
func index(n int) quarantine.Selectors {
	apps := make([]workload.App, n)
	for i := range apps {
		apps[i] = workload.App{Namespace: namespace, Number: i}
	}
	return workload.Services(apps...)
}

// scannable returns the store that Kubernetes' EndpointSlice controller scans for each
// changed pod (getServicesForPod in k8s.io/endpointslice/util).
func scannable(n int) corelisters.ServiceLister {
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for i := range n {
		_ = store.Add(workload.App{Namespace: namespace, Number: i}.Service()) // Fails for what has no name only.
	}
	return corelisters.NewServiceLister(store)
}

func scan(lister corelisters.ServiceLister, pod labels.Set) int {
	services, err := lister.Services(namespace).List(labels.Everything())
	if err != nil {
		return 0
	}
	found := 0
	for _, service := range services {
		if service.Spec.Selector != nil && labels.ValidatedSetSelector(service.Spec.Selector).Matches(pod) {
			found++
		}
	}
	return found
}

// each returns how many nanoseconds f takes for a pod that one Service selects.
func each(n int, pods []map[string]string, f func(pod map[string]string) int) (float64, error) {
	start := time.Now()
	for i := range n {
		if found := f(pods[i%len(pods)]); found != 1 {
			return 0, fmt.Errorf("%d Services select a pod, not one", found)
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n), nil
}

// randomCases compares the index with a scan of all objects: the test of package
// selectors with more cases.
func (b *bench) randomCases() error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	cases := b.size(1_000_000, 10_000)
	cmd := exec.CommandContext(b.ctx, "go", "test", "-count=1", "-run=TheIndexAnswersAsALookAtEveryObjectDoes", "./selectors", "-cases="+strconv.Itoa(cases))
	cmd.Dir = filepath.Clean(root)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("comparing the index with a look at every object: %w\n%s", err, out)
	}
	b.add(figures.Figure{What: fmt.Sprintf("wrong answers in %d random cases", cases), Value: figures.Sample{0}, Goal: figures.ValueAtMost(0, figures.Count)})
	return nil
}
