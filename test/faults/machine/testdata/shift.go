package time

import (
	"sync/atomic"
	"syscall"
)

// shift is how far the clock of this machine is ahead, in seconds.
var shift atomic.Int64

// shiftedNow is runtimeNow by the clock of this machine. It makes no system call, because the
// runtime calls it where none is allowed.
func shiftedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	return sec + shift.Load(), nsec, mono
}

func init() {
	shift.Store(readShift())
	go func() {
		for {
			Sleep(10 * Millisecond)
			shift.Store(readShift())
		}
	}()
}

// readShift reads the seconds from the file clock in the current folder.
func readShift() int64 {
	file, err := syscall.Open("clock", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(file)
	text := make([]byte, 32)
	n, err := syscall.Read(file, text)
	if err != nil {
		return 0
	}
	seconds, _ := atoi(string(text[:n]))
	return int64(seconds)
}
