package alertmanager

import (
	"slices"
	"testing"

	"isolate.example.io/test/framework/waiting"
)

// BenchmarkAlertToOutOfTraffic measures from the arrival of an alert at Alertmanager until
// the pod is in no EndpointSlice: with the shipped group_wait of 0s, and with Alertmanager's
// default of 30s.
func BenchmarkAlertToOutOfTraffic(b *testing.B) {
	for name, config := range map[string]string{
		"group_wait=0s":  shipped(b),
		"group_wait=30s": replace(b, shipped(b), "    group_wait: 0s\n", ""),
	} {
		b.Run(name, func(b *testing.B) {
			b.StopTimer()
			for b.Loop() {
				n := newNamespace(b, 1)
				r := startReceiver(b, allow(n)...)
				a := startAlertmanager(b, config, r, newPeople(b))
				pod := n.first()
				b.StartTimer()
				a.add(labels(pod)...)
				waiting.Until(b, func() bool { return !slices.Contains(n.serving(), pod.Name) }, "the pod is out of traffic")
				b.StopTimer()
			}
		})
	}
}
