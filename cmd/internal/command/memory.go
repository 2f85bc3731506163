package command

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryLimitFiles are where a container reads its memory limit, in cgroups v2 and v1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// setMemoryLimit has the garbage collector keep the program within nine tenths of the
// container's memory limit; the rest is for what the kernel charges, such as socket
// buffers. An operator's GOMEMLIMIT takes precedence.
func setMemoryLimit() {
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

// memoryLimit parses the content of a cgroup's file: bytes, or "max" for no limit.
func memoryLimit(content string) (int64, bool) {
	limit, err := strconv.ParseInt(strings.TrimSpace(content), 10, 64)
	if err != nil || limit <= 0 {
		return 0, false
	}
	return limit / 10 * 9, true
}
