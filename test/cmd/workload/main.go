// Command workload is the application that the tests and the demo isolate: a small HTTP
// server that says which pod it is, and clients that count the answers.
//
//	workload serve [--ignore-sigterm]    serves on port 8080
//	workload get PATH|URL                asks the server in the same pod, or another one
//	workload post PATH                   tells the server in the same pod to misbehave
//	workload send URL                    sends requests and logs each second who answered
//
// The program needs nothing else in its image, so "kubectl exec POD -- /bin/workload get
// /value" works in an image without a shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	address = ":8080"
	// askTimeout is longer than any answer takes, and short enough to ask again if a firewall
	// drops the packets.
	askTimeout = 5 * time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 0 && args[0] == "serve":
		return serve(slices.Contains(args, "--ignore-sigterm"))
	case len(args) == 2 && args[0] == "get":
		return ask(http.MethodGet, args[1])
	case len(args) == 2 && args[0] == "post":
		return ask(http.MethodPost, args[1])
	case len(args) == 2 && args[0] == "send":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		return send(ctx, args[1])
	default:
		return errors.New("usage: workload serve [--ignore-sigterm] | get PATH|URL | post PATH | send URL")
	}
}

// ask sends a request to a path of the server in the same pod, or to a URL, and prints the
// answer.
func ask(method, target string) error {
	if strings.HasPrefix(target, "/") {
		target = "http://127.0.0.1" + address + target
	}
	request, err := http.NewRequestWithContext(context.Background(), method, target, nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: askTimeout}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", response.Status)
	}
	return nil
}
