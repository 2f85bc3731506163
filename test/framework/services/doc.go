// Package services stands in for kube-proxy: it takes the connections that the
// API server makes to Services, and makes each to one of the Service's backends
// that is ready. Connections that exist stay.
//
// The API server is told of it as an egress, which a cluster has where the
// control plane reaches the nodes through a proxy. So the webhook configuration
// is what is shipped, and the certificate is checked for the Service's name.
package services
