package commands

import "runtime/debug"

// stamped is the version that the linker sets; see the Makefile.
var stamped string

// version returns the stamped version, or else the one that the Go toolchain recorded.
func version() string {
	if stamped != "" {
		return stamped
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "unknown"
}
