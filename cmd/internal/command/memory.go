package command

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryLimitFiles are the files with a container's memory limit, in cgroups v2 and v1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// setMemoryLimit sets the garbage collector's limit to nine tenths of the container's
// memory limit. The rest is for kernel memory charged to the container, such as socket
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
