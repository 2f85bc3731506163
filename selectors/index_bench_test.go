package selectors

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// BenchmarkMatching finds the one of many Services that selects a pod: with the
// index, and by the scan of the namespace that Kubernetes' endpoint slice
// controller does (getServicesForPod in k8s.io/endpointslice/util).
func BenchmarkMatching(b *testing.B) {
	podLabels := map[string]string{
		"app": "app-50", "release": "release-50", "tier": "backend", "version": "v1",
		"team": "payments", "region": "eu", "pod-template-hash": "hash-50", "track": "stable",
	}
	for _, count := range []int{100, 1_000, 10_000, 100_000} {
		ix := NewIndex()
		informed := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		for i := range count {
			service := &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web-" + strconv.Itoa(i)},
				Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "app-" + strconv.Itoa(i), "tier": "backend"}},
			}
			require.NoError(b, informed.Add(service))
			s, err := Extract(service)
			require.NoError(b, err)
			ix.Set("ns", s)
		}
		lister := corelisters.NewServiceLister(informed)
		b.Run(fmt.Sprintf("index/selectors=%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				view, err := ix.Namespace("ns")
				if err != nil || len(view.Matching(podLabels)) != 1 {
					b.Fatal("not found")
				}
			}
		})
		b.Run(fmt.Sprintf("scan/selectors=%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if scan(b, lister, podLabels) != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}

func scan(b *testing.B, lister corelisters.ServiceLister, podLabels labels.Set) int {
	services, err := lister.Services("ns").List(labels.Everything())
	if err != nil {
		b.Fatal(err)
	}
	found := 0
	for _, service := range services {
		if service.Spec.Selector != nil && labels.ValidatedSetSelector(service.Spec.Selector).Matches(podLabels) {
			found++
		}
	}
	return found
}
