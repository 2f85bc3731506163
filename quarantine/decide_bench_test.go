package quarantine

import "testing"

// BenchmarkDecide decides what happens most: a free pod is quarantined, and a
// quarantined one is annotated.
func BenchmarkDecide(b *testing.B) {
	rules := DefaultConfig()
	free := update(incident(), pod(), trigger)
	stored := pod()
	stored.Metadata = *apply(b, free.New, rules.Decide(free))
	for name, req := range map[string]Request{
		"quarantine": free,
		"keep":       update(incident(), stored, annotation(HoldKey, True)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if decision := rules.Decide(req); decision.Denial != nil {
					b.Fatal(decision.Denial.Message)
				}
			}
		})
	}
}
