// Package monitoring tests the component monitoring with Prometheus and promtool
// themselves: Prometheus scrapes the programs as the ServiceMonitors say, evaluates the
// alerts, and answers the queries of the dashboard after an incident. Its own parser reads
// each query.
package monitoring
