// Package doctor finds out, with the caller's own permissions, whether a quarantine would
// work, and what to do if it would not. It changes nothing: it asks for a quarantine as a
// dry run. The kubectl plugin runs it for people, the chart's test in the cluster.
package doctor
