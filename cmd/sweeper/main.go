// Command sweeper deletes quarantined pods when they expire.
package main

import (
	"context"
	"os"

	"isolate.example.io/cmd/internal/command"
)

const purpose = "sweeper deletes quarantined pods when they expire, publishes events about them, and keeps everything from selecting them again. " +
	"\"sweeper doctor\" checks instead, once, whether a quarantine would work."

func main() {
	if len(os.Args) > 1 && os.Args[1] == doctorCommand {
		os.Exit(examine(context.Background(), os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(command.Main("sweeper", purpose, &options{}, os.Args[1:], os.Stdout, os.Stderr))
}
