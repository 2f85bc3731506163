// Package docs tests the documents and the alerts against the running programs: it
// runs the commands, follows the links, and looks up flags and metrics.
package docs
