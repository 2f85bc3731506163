package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Restart switches the node off and on, and returns when it is Ready again. Containers,
// their mounts and interfaces, and the firewall's rules are gone; what is on disk stays.
// The control plane keeps running.
func (n *Node) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.switchOff(ctx); err != nil {
		return fmt.Errorf("switching the node off: %w", err)
	}
	if err := n.startContainerd(ctx); err != nil {
		return fmt.Errorf("switching the node on: %w", err)
	}
	if err := n.startOthers(ctx); err != nil {
		return fmt.Errorf("switching the node on: %w", err)
	}
	return nil
}

func (n *Node) switchOff(ctx context.Context) error {
	for name, process := range n.programs {
		process.Kill()
		delete(n.programs, name)
	}
	if err := n.killContainers(ctx); err != nil {
		return err
	}
	if err := removeCgroups(n.settings.Dir); err != nil {
		return err
	}
	if err := unmountBelow("/run", n.settings.Dir); err != nil {
		return err
	}
	if err := mountEmpty("/run"); err != nil {
		return err
	}
	for _, args := range [][]string{{"ip", "link", "delete", bridge}, {"nft", "flush", "ruleset"}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	return nil
}

// killContainers kills all containers and their shims, and waits until they are gone.
func (n *Node) killContainers(ctx context.Context) error {
	return n.poll(ctx, "the containers to end", func(context.Context) error {
		if err := thaw(n.settings.Dir); err != nil {
			return err
		}
		pids, err := n.containerProcesses()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if len(pids) > 0 {
			return fmt.Errorf("%d processes are still running", len(pids))
		}
		return nil
	})
}

// containerProcesses returns the processes of the containers, and the shims.
func (n *Node) containerProcesses() (pids []int, err error) {
	if pids, err = cgroupProcesses(n.settings.Dir); err != nil {
		return nil, err
	}
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, err
	}
	for _, link := range programs {
		target, err := os.Readlink(link)
		if err != nil || filepath.Base(target) != "containerd-shim-runc-v2" {
			continue // It has ended, or is something else.
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// unmountBelow unmounts everything in these folders, and the folders themselves if
// something is mounted on them.
func unmountBelow(dirs ...string) error {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer file.Close()
	var mounted []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		target := strings.Fields(lines.Text())[4]
		if slices.ContainsFunc(dirs, func(dir string) bool { return target == dir || strings.HasPrefix(target, dir+"/") }) {
			mounted = append(mounted, target)
		}
	}
	for _, target := range slices.Backward(mounted) {
		if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("unmounting %s: %w", target, err)
		}
	}
	return nil
}
