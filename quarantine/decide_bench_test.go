package quarantine

import "testing"

// BenchmarkDecide decides what happens most: a free pod is quarantined, and a
// quarantined one is annotated.
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
