// Package alternatives is what isolate is measured against: other ways to answer
// an admission, to know the cluster and to delete what has expired, each a program
// with the same metrics as isolate's own.
package alternatives
