package command

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryLimitFiles are the files with a container's memory limit, in cgroups v2 and v1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// gcPercent is how much garbage there may be, as a percentage of what is in use. Go's default of
// 100 makes memory the double of what is in use, which in a large cluster is an index of what
// selects pods. A collection costs as much as a few admissions.
const gcPercent = 50

// setMemory makes the garbage collector save memory, and sets its limit to nine tenths of the
// container's memory limit. The rest is for kernel memory charged to the container, such as
// socket buffers. An operator's GOGC and GOMEMLIMIT take precedence.
func setMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
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

// memoryLimit parses the content of a cgroup's file: bytes, or "max" for no limit.
func memoryLimit(content string) (int64, bool) {
	limit, err := strconv.ParseInt(strings.TrimSpace(content), 10, 64)
	if err != nil || limit <= 0 {
		return 0, false
	}
	return limit / 10 * 9, true
}
