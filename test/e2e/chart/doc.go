// Package chart tests the Helm chart with Helm itself: that it renders what kustomize builds,
// and that it installs, upgrades, rolls back and removes isolate on a control plane.
package chart
