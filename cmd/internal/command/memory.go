package command

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

// memoryLimitFiles are the files with a container's memory limit, in cgroups v2 and v1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

const (
	// gcPercent is how much garbage there may be, as a percentage of what is in use. Go's default
	// of 100 makes memory the double of what is in use, which in a large cluster is an index of
	// what selects pods.
	gcPercent = 50

	// minGarbage is how much garbage there may be in any case, in bytes. A collection marks
	// everything in use: if a small heap were collected each time it has grown by half, that would
	// be a fifth of an admission's CPU.
	minGarbage = 24 << 20

	// smallestHeap is the least that is taken for in use, in bytes: Go's minimum heap is 4 MiB for
	// each 100 percent.
	smallestHeap = 4 << 20
)

// setMemory makes the garbage collector save memory, and sets its limit to nine tenths of the
// container's memory limit. The rest is for kernel memory charged to the container, such as
// socket buffers. An operator's GOGC and GOMEMLIMIT take precedence.
func setMemory(ctx context.Context) {
	if os.Getenv("GOGC") == "" {
		adaptGC(ctx)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	for _, file := range memoryLimitFiles {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if limit, ok := memoryLimit(string(data)); ok {
			debug.SetMemoryLimit(limit)
		}
		return
	}
}

// adaptGC sets the garbage collector's percentage for what is in use, now and after each collection
// until the context ends.
func adaptGC(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(percentFor(live[0].Value.Uint64()))
	type unreachable struct{ _ *unreachable } // Not so small that it shares memory with others.
	runtime.AddCleanup(new(unreachable), adaptGC, ctx)
}

// percentFor returns the percentage for so many bytes in use.
func percentFor(live uint64) int {
	return max(gcPercent, int(100*minGarbage/max(float64(live), smallestHeap)))
}

// memoryLimit parses the content of a cgroup's file: bytes, or "max" for no limit.
func memoryLimit(content string) (int64, bool) {
	limit, err := strconv.ParseInt(strings.TrimSpace(content), 10, 64)
	if err != nil || limit <= 0 {
		return 0, false
	}
	return limit / 10 * 9, true
}
