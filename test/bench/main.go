package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"isolate.example.io/test/bench/alternatives"
	"isolate.example.io/test/bench/figures"
	"isolate.example.io/test/framework/installation"
)

// alternative is the first argument with which this program runs as one of the
// alternatives.
const alternative = "alternative"

func main() {
	run := measure
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case alternative:
			run = func() error { return alternatives.Main(os.Args[2:]) }
		case "untrusted":
			run = func() error { return untrustedMain(os.Args[2:]) }
		}
	}
	if err := run(); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// rows are the benchmarks in the order of execution.
var rows = []struct {
	name string
	run  func(*bench) error
	// named excludes a row from a full run that doesn't name it.
	named bool
}{
	{name: "lookup", run: (*bench).lookup},
	{name: "cost", run: (*bench).cost},
	{name: "unrelated", run: (*bench).unrelated},
	{name: "latency", run: (*bench).latency},
	{name: "at-once", run: (*bench).atOnce},
	{name: "traffic", run: (*bench).traffic},
	{name: "expiry", run: (*bench).expiry},
	{name: "together", run: (*bench).together},
	{name: "memory", run: (*bench).memory},
	{name: "resources", run: (*bench).resources},
	{name: "attack", run: (*bench).attack},
	{name: "scale", run: (*bench).scale, named: true}, // It takes 22 GiB of memory.
}

// outputs are the files for the results.
type outputs struct{ json, markdown string }

func measure() error {
	var filter string
	var out outputs
	var b bench
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	flags.StringVar(&filter, "run", "", "A regular expression for the rows to run; all by default.")
	flags.BoolVar(&b.quick, "quick", false, "A smoke test: run everything with small numbers. The results mean nothing.")
	flags.StringVar(&out.json, "json", ".build/bench/results.json", "The file for the results as JSON.")
	flags.StringVar(&out.markdown, "markdown", "", "The document in which to replace the table, such as docs/performance.md.")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	selected, err := regexp.Compile(filter)
	if err != nil {
		return err
	}
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	start := time.Now()
	var failures []error
	for _, row := range rows {
		if !selected.MatchString(row.name) || row.named && filter == "" && !b.quick {
			continue
		}
		began := time.Now()
		fmt.Fprintf(os.Stderr, "%s: ", row.name)
		err := b.runRow(row.name, row.run)
		fmt.Fprintln(os.Stderr, time.Since(began).Round(time.Second))
		if err != nil {
			err = fmt.Errorf("%s: %w", row.name, err)
			fmt.Fprintln(os.Stderr, err)
			failures, b.failed = append(failures, err), append(b.failed, row.name)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(failures, b.write(out, time.Since(start)))...)
}

func (b *bench) prepare(ctx context.Context) (err error) {
	b.ctx = ctx
	if b.binaries, b.programs, err = installation.BuildAll(ctx, os.Stderr); err != nil {
		return err
	}
	b.dir, err = os.MkdirTemp("", "isolate-bench-")
	return err
}

// write prints the results and writes them to the files.
func (b *bench) write(out outputs, took time.Duration) error {
	environment := b.environment(took)
	table := environment.String() + "\n" + figures.Table(b.figures)
	fmt.Printf("\n%s", table)
	data, err := json.MarshalIndent(map[string]any{"environment": environment, "figures": b.figures}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out.json), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(out.json, append(data, '\n'), 0o644); err != nil {
		return err
	}
	if out.markdown == "" {
		return nil
	}
	document, err := os.ReadFile(out.markdown)
	if err != nil {
		return err
	}
	replaced, err := figures.Replace(string(document), table)
	if err != nil {
		return fmt.Errorf("%s: %w", out.markdown, err)
	}
	return os.WriteFile(out.markdown, []byte(replaced), 0o644)
}
