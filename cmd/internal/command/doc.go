// Package command has what isolate's programs share: the flags of the process itself, the
// log, the version, and the exit codes.
package command
