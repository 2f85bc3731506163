// Package requests shows tests what a program asks of the API server. It stands in for that
// server where only the request matters, as for its headers, which no audit log has.
package requests
