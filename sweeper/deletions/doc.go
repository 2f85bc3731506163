// Package deletions has a client for deletions, with its own connection to the API server,
// and tracks which pods isolate is deleting or has deleted, so that requests that inform
// people can wait for deletions. It knows no controller.
package deletions
