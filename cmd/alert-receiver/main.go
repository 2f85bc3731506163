// Command alert-receiver quarantines the pods that Alertmanager's alerts name.
package main

import (
	"os"

	"isolate.example.io/cmd/internal/command"
)

const purpose = "alert-receiver serves Alertmanager's webhook format: it quarantines the pods that firing alerts name."

func main() {
	os.Exit(command.Main("alert-receiver", purpose, &options{}, os.Args[1:], os.Stdout, os.Stderr))
}
