// Package release makes what isolate publishes. It is a module of its own, so that
// the programs never depend on what packages them.
//
// release/programs.sh builds the programs, release/image puts them into an image
// archive without a container engine, release/dist makes and checks a whole release.
package release
