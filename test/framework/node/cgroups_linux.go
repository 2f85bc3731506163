package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroups are the folders that the cgroups of containers can be in: one for each
// hierarchy of cgroup v1, or the one of cgroup v2. containerd's other nodes and those of
// other programs use them too.
var cgroups = []string{"/sys/fs/cgroup/*/k8s.io", "/sys/fs/cgroup/k8s.io"}

// containers are the folders in which containerd has one for each of a node's sandboxes
// and containers, named by their IDs.
var containers = []string{"sandboxes", "containers"}

// containerFolder returns the folder of a node's containers of that kind.
func containerFolder(dir, kind string) string {
	return filepath.Join(dir, "containerd", "io.containerd.grpc.v1.cri", kind)
}

// cgroupFolders returns the cgroups of a node's containers.
func cgroupFolders(dir string) (folders []string, err error) {
	for _, kind := range containers {
		entries, err := os.ReadDir(containerFolder(dir, kind))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, entry := range entries {
			for _, pattern := range cgroups {
				found, err := filepath.Glob(filepath.Join(pattern, entry.Name()))
				if err != nil {
					return nil, err
				}
				folders = append(folders, found...)
			}
		}
	}
	return folders, nil
}

// removeCgroups removes the cgroups of a node's containers. Their last processes may
// still be exiting.
func removeCgroups(dir string) error {
	deadline := time.Now().Add(patience)
	for {
		err := tryRemoveCgroups(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-time.After(checkPeriod)
	}
}

func tryRemoveCgroups(dir string) error {
	if err := thaw(dir); err != nil {
		return err
	}
	folders, err := cgroupFolders(dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the cgroup %s: %w", folder, err)
		}
	}
	for _, pattern := range cgroups {
		parents, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, parent := range parents {
			_ = syscall.Rmdir(parent) // Fails while others use it.
		}
	}
	return nil
}

// thaw lets the containers' processes go on, which can't end while they are frozen. A
// checkpoint that fails leaves them so.
func thaw(dir string) error {
	folders, err := cgroupFolders(dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		for file, value := range map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0"} {
			file, err := os.OpenFile(filepath.Join(folder, file), os.O_WRONLY, 0)
			if errors.Is(err, fs.ErrNotExist) {
				continue // It is the file of the other version of cgroups, or of another hierarchy.
			}
			if err != nil {
				return err
			}
			_, err = file.WriteString(value)
			if err := errors.Join(err, file.Close()); err != nil && !errors.Is(err, syscall.ENODEV) {
				return err // ENODEV: it was removed meanwhile.
			}
		}
	}
	return nil
}

// thawOnExit thaws the containers' processes once the process ends, which waits for them.
func thawOnExit(ctx context.Context, dir string, pid int) {
	for ctx.Err() == nil {
		// A process that is exiting has no memory, and so no program.
		if _, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe")); err != nil {
			_ = thaw(dir) // It is tried again.
		}
		select {
		case <-ctx.Done():
		case <-time.After(checkPeriod):
		}
	}
}

// cgroupProcesses returns the processes in the cgroups of a node's containers.
func cgroupProcesses(dir string) (pids []int, err error) {
	folders, err := cgroupFolders(dir)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		data, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
