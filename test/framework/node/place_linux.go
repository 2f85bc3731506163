package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	prefix      = "isolate-node-"
	lockName    = "lock"
	patience    = time.Minute
	checkPeriod = 20 * time.Millisecond
)

// place is the folder of one node. It and the cgroups of the containers are all that
// outlives the namespaces.
type place struct {
	dir string
	// lock is held as long as the node exists, so that others don't remove it.
	lock *os.File
}

func newPlace() (place, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return place{}, err
	}
	p, err := lockPlace(dir, syscall.LOCK_EX)
	if err == nil {
		// Containers run as other users, and their root folders are below it.
		err = os.Chmod(dir, 0o755)
	}
	return p, err
}

func lockPlace(dir string, how int) (place, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return place{}, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		return place{}, errors.Join(err, file.Close())
	}
	return place{dir: dir, lock: file}, nil
}

// remove removes the folder and the cgroups once the processes have ended.
func (p place) remove() error {
	defer p.lock.Close()
	if err := removeCgroups(p.dir); err != nil {
		return err
	}
	return os.RemoveAll(p.dir)
}

// removeLeftovers removes the nodes whose program was killed.
func removeLeftovers() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		p, err := lockPlace(dir, syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
			continue // It runs, or is being removed.
		}
		if err != nil {
			return err
		}
		if err := p.remove(); err != nil {
			return err
		}
	}
	return nil
}
