package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// environment is the variable that carries the settings into the namespaces.
const environment = "ISOLATE_NODE"

// settings are what [Run] passes to the program in the Linux namespaces.
type settings struct {
	// Dir is the folder for everything that the cluster writes.
	Dir   string
	Built Built
}

// Inside reports whether this program runs in the namespaces that [Run] made.
func Inside() bool { return os.Getenv(environment) != "" }

// Dir returns the folder of the program in the namespaces. Run removes it.
func Dir() (string, error) {
	s, err := read()
	return s.Dir, err
}

func read() (s settings, err error) {
	if err := json.Unmarshal([]byte(os.Getenv(environment)), &s); err != nil {
		return s, fmt.Errorf("this program is not in namespaces of its own: %w", err)
	}
	return s, nil
}

// Run runs this program once more, with the same arguments, in Linux namespaces of its own
// (network, mounts, processes), and returns its exit code when everything in them has ended. If the context is done,
// it ends everything. The program there has the files from descriptor 3 on; Run closes
// them here.
func Run(ctx context.Context, built Built, files ...*os.File) (code int, err error) {
	if os.Getuid() != 0 {
		return 1, errors.New("a real node needs root: run the same command with sudo")
	}
	if err := removeLeftovers(); err != nil {
		return 1, fmt.Errorf("removing what a killed node left: %w", err)
	}
	place, err := newPlace()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, place.remove()) }()
	value, err := json.Marshal(settings{Dir: place.dir, Built: built})
	if err != nil {
		return 1, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), environment+"="+string(value), "TMPDIR="+place.dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, files
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	// The kernel sends that signal when the thread that started the child ends, so keep it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	for _, file := range files {
		err = errors.Join(err, file.Close())
	}
	if err == nil {
		waiting, stop := context.WithCancel(context.WithoutCancel(ctx))
		go thawOnExit(waiting, place.dir, cmd.Process.Pid)
		err = cmd.Wait()
		stop()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, errors.Join(ctx.Err(), err)
	}
	return 0, nil
}

// prepare makes the namespaces ready for a node: its own process IDs in /proc, empty
// folders where the node's programs write whatever their flags say, and a network device
// with the node's address.
func prepare(ctx context.Context) error {
	// Mounts that containerd makes must propagate to the kubelet's containers, and none of
	// them to the machine's own namespace.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("detaching the mounts: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing the mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NOEXEC|syscall.MS_NODEV, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, dir := range []string{"/run", "/var/lib", "/var/log"} {
		if err := mountEmpty(dir); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		// An empty bridge keeps an address on kernels without dummy devices too.
		{"link", "add", device, "type", "bridge"},
		{"address", "add", Address + "/24", "dev", device},
		{"link", "set", device, "up"},
		// Without a route the kernel refuses a Service's address before kube-proxy's rules see it.
		{"route", "add", "default", "dev", device},
	} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// mountEmpty mounts an empty folder.
func mountEmpty(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mounting %s: %w", dir, err)
	}
	return nil
}
