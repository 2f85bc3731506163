// Package services stands in for kube-proxy: it accepts the connections that the
// API server makes to Services and forwards each to a ready backend. Existing
// connections are kept.
//
// The API server uses it as an egress selector, as on clusters whose control plane
// reaches the nodes through a proxy. So the tests use the webhook configuration as
// shipped, and the API server verifies the certificate for the Service's name.
package services
