package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// leak is how much memory each request leaks once the server is told to.
const leak = 1 << 20

// server answers requests with the pod's name, and misbehaves when it is told to.
type server struct {
	name string

	mu       sync.Mutex
	requests int
	// last is when the last of them came.
	last   time.Time
	value  string
	fault  string
	leaked [][]byte
}

func serve(ignoreSIGTERM bool) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	s := &server{name: name}
	fmt.Println("serving as", name)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	web := &http.Server{Addr: address, Handler: s.routes(), ReadHeaderTimeout: time.Minute}
	go func() {
		for range signals {
			if ignoreSIGTERM {
				fmt.Println("ignoring SIGTERM")
				continue
			}
			fmt.Println("stopping on SIGTERM")
			_ = web.Shutdown(context.Background())
		}
	}()
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.answer)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s.faulty("unhealthy") {
			http.Error(w, "unhealthy", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(w, "%d\n", s.requests)
	})
	mux.HandleFunc("GET /last", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(w, "%s\n", s.last.Format(time.RFC3339Nano))
	})
	// The value is in memory alone: it is there as long as the process is.
	mux.HandleFunc("GET /value", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(w, "%s\n", s.value)
	})
	mux.HandleFunc("POST /value/{value}", func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.value = r.PathValue("value")
	})
	mux.HandleFunc("POST /fault/{fault}", func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fault = r.PathValue("fault")
		fmt.Println("fault:", s.fault)
	})
	return mux
}

func (s *server) faulty(fault string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault == fault
}

// answer is what the Service's clients ask for.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	s.last = time.Now()
	fault := s.fault
	if fault == "leak" {
		memory := make([]byte, leak)
		for i := range memory {
			memory[i] = 1 // Memory that is not written costs nothing.
		}
		s.leaked = append(s.leaked, memory)
	}
	s.mu.Unlock()
	switch fault {
	case "hang":
		<-r.Context().Done()
	case "error":
		http.Error(w, s.name+" is broken", http.StatusInternalServerError)
	default:
		fmt.Fprintln(w, s.name)
	}
}
