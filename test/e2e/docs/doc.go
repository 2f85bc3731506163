// Package docs holds README.md, docs and the alerts to what the programs do:
// commands are run, links followed, flags and metrics looked up in the running
// programs.
package docs
