package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is a measurement of CPU time. On a machine without idle CPU, times are those of the
// machine and not of what is measured.
type CPU struct {
	began       time.Time
	own         time.Duration
	idle, total float64
}

// MeasureCPU begins a measurement.
func MeasureCPU() *CPU {
	c := &CPU{began: time.Now(), own: ownCPU()}
	c.idle, c.total = machineCPU()
	return c
}

// Report returns the CPU time since the beginning in one line: of this process, and what
// was left of the machine's.
func (c *CPU) Report() string {
	idle, total := machineCPU()
	took := time.Since(c.began)
	left := "unknown"
	if total > c.total {
		left = fmt.Sprintf("%.0f %%", 100*(idle-c.idle)/(total-c.total))
	}
	return fmt.Sprintf("CPU in %s: this process %.2f cores, idle on this machine %s", took.Round(time.Second), (ownCPU()-c.own).Seconds()/took.Seconds(), left)
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// machineCPU returns the idle and the total CPU time of all cores, in ticks; 0 where there
// is no /proc.
func machineCPU() (idle, total float64) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	for i, field := range strings.Fields(line) {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil { // The name of the line.
			continue
		}
		if i == 4 || i == 5 { // idle and iowait
			idle += ticks
		}
		if i <= 8 { // The rest is contained in user and nice.
			total += ticks
		}
	}
	return idle, total
}
