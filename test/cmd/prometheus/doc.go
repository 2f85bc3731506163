// Package prometheus pins Prometheus and promtool, which the tests of the monitoring
// component build and run. It has no code: go.mod names both as tools. It is a module of
// its own so that the product's go.mod stays small.
package prometheus
