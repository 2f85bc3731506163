// Package shop is a workload under test: a namespace with a Deployment and the Service in
// front of it, whose pods a tool quarantines.
package shop
