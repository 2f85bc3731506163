package controlplane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is the time between SIGTERM and SIGKILL, the grace period of the
// webhook's pods.
const stopTimeout = 125 * time.Second

// Process is a running program. It ends with its parent, even if that is killed.
type Process struct {
	Name string

	// Log is the path of the file with the program's output.
	Log string

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// spawner starts processes from one thread that lives as long as this process. The
// kernel sends the parent-death signal when the thread that started the child
// exits, not when the process does.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// StartProcess starts a program and appends its output to dir/name.log.
func StartProcess(dir, name, path string, args ...string) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = endWithParent()
	started := make(chan error)
	spawner() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the program has exited.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop sends SIGTERM, then SIGKILL after a grace period, and returns when the
// program has exited.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.Kill()
	}
}

// Kill sends SIGKILL and returns when the program has exited.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Pause stops the program until Resume: it keeps its memory and its connections, and does
// nothing.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused program continue.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Err returns why the program exited, with the end of its output.
func (p *Process) Err() error {
	data, err := os.ReadFile(p.Log)
	if err != nil {
		data = []byte(err.Error())
	}
	ended := errors.New("it is still running")
	select {
	case <-p.done:
		ended = fmt.Errorf("it exited: %w", errors.Join(p.err, errors.New(p.cmd.ProcessState.String())))
	default:
	}
	return fmt.Errorf("%s: %w; the end of its log:\n%s", p.Name, ended, lastLines(string(data), 15))
}
