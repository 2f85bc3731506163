// Package gen builds the Kubernetes objects of the tests: gen.Pod("web",
// gen.Label("app", "web"), gen.Quarantined(at, expires)).
//
// It builds plain API objects. The unit tests of package quarantine, which this
// package imports for the keys, build that package's own types instead.
package gen
