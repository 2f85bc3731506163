// Package deletions has what deleting a pod needs and what others need to know about it:
// a connection of its own to the API server, and which pods isolate is deleting and has
// deleted, so that informing people comes after deleting. It knows no controller.
package deletions
