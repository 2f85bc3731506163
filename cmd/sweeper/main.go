// Command sweeper deletes quarantined pods when they expire.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

const purpose = "sweeper deletes quarantined pods when they expire, publishes events about them, and keeps everything from selecting them again."

func main() {
	os.Exit(command.Main("sweeper", purpose, &options{}, os.Args[1:], os.Stdout, os.Stderr))
}
