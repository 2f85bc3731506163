package quarantine

import "testing"

// BenchmarkDecide measures the most frequent decisions: the quarantine of a free pod, and an
// annotation of a quarantined pod.
func BenchmarkDecide(b *testing.B) {
	config := DefaultConfig()
	free := update(incident(), pod(), trigger)
	stored := pod()
	stored.Metadata = *apply(b, free.New, config.Decide(free))
	for name, req := range map[string]Request{
		"quarantine": free,
		"update":     update(incident(), stored, annotation(HoldKey, True)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if decision := config.Decide(req); decision.Denial != nil {
					b.Fatal(decision.Denial.Message)
				}
			}
		})
	}
}
