package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	clients = 4
	// period is the time between two requests of a client, pause between two reports.
	period  = 10 * time.Millisecond
	pause   = time.Second
	timeout = 2 * time.Second
)

// counter counts answers by the pod that gave them, and failures.
type counter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *counter) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[name]++
}

// take returns a line with the counts and begins anew.
func (t *counter) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var line []string
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		line = append(line, fmt.Sprintf("%s=%d", name, t.counts[name]))
	}
	t.counts = map[string]int{}
	return strings.Join(line, " ")
}

// send sends requests on fresh connections until the context is done, and prints once a
// second how many each pod answered.
func send(ctx context.Context, url string) error {
	answers := &counter{counts: map[string]int{}}
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	for range clients {
		go func() {
			for range time.Tick(period) {
				answers.add(answer(ctx, client, url))
			}
		}()
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Println(answers.take())
		case <-ctx.Done():
			return nil
		}
	}
}

// answer returns the name of the pod that answered, or "failed".
func answer(ctx context.Context, client *http.Client, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "failed"
	}
	response, err := client.Do(request)
	if err != nil {
		return "failed"
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "failed"
	}
	return strings.TrimSpace(string(name))
}
