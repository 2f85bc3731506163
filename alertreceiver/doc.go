// Package alertreceiver quarantines the pods that alerts name. It serves Alertmanager's
// webhook format, and sets isolate's annotation on a pod with one merge patch for each firing
// alert. isolate's webhook decides the rest, as for any other write.
//
// Alerts are untrusted input: anyone who may write a rule or reach Alertmanager chooses
// their labels. So a label is only ever compared, validated as a name, or sent as a JSON
// string, and everything that a request can cost is bounded.
//
// Each answer tells Alertmanager whether to retry: it repeats a request after a 5xx, and not
// after a 4xx.
package alertreceiver
