// Package alertmanager runs a real Alertmanager with the shipped routes, amtool and the
// alert receiver with its shipped manifests, on a whole control plane with isolate.
package alertmanager
