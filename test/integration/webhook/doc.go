// Package webhook tests isolate's webhook on a real API server, without controllers: its
// clock against the API server's, together with a sweeper, and reviews that the API
// server did not send.
package webhook
