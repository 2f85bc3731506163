// Package alternatives has the programs that isolate is compared with: other ways to
// answer an admission, to cache cluster state and to delete expired pods. Each serves
// the same metrics as isolate's programs.
package alternatives
