package commands

import (
	"errors"
	"fmt"
	"time"

	"isolate.example.io/cmd/kubectl-isolate/internal/evidence"
)

const longCollect = `Save what a pod leaves behind in one archive, with your own permissions: the pod, isolate's
record, the events of the pod and of its controller, the logs of all its containers, its owners, node,
Services, EndpointSlices, NetworkPolicies, PodDisruptionBudgets and metrics.

manifest.json in the archive has who collected what, where and when, the SHA-256 sum and the
size of each file, what was cut at a limit, and everything that was refused.

Never collected: Secrets, the data of ConfigMaps, the values of environment variables. Logs,
arguments, and what --exec and --copy bring are saved as they are.

Exit code 5: the archive is written, but something was refused or cut.`

const exampleCollect = `  kubectl isolate collect web-57d9664db9-4cdsc

  # With a heap dump, written to standard output by the command
  kubectl isolate collect web-57d9664db9-4cdsc --exec web -- cat /tmp/heap.hprof

  # With a folder of a container
  kubectl isolate collect web-57d9664db9-4cdsc --copy web:/var/log/nginx

  # Later: is the archive as it was written?
  kubectl isolate collect --verify shop-web-57d9664db9-4cdsc-20261126T021500Z.tgz`

var (
	errVerifyAlone       = errors.New("--verify checks an archive and collects nothing: leave out the pod")
	errExecCommand       = errors.New("--exec takes a command after --, and a command takes --exec: kubectl isolate collect POD --exec CONTAINER -- COMMAND")
	errMaxBytes          = errors.New("--max-bytes and --max-total-bytes must be above 0, such as 256Mi")
	errArchiveOnTerminal = errors.New("standard output is a terminal, and an archive is not for reading: use -o FILE.tgz, or pipe it")
	errNoArchive         = errors.New("interrupted: no archive was written")
	errPartOfArchive     = errors.New("interrupted: the archive on standard output is not complete")
	errIncomplete        = errors.New("the archive is written, but not complete: manifest.json in it names what is missing")
)

func errCopy(text string) error {
	return fmt.Errorf("--copy=%s: must be CONTAINER:/path", text)
}

func messageCollecting(name string) string { return "Collecting " + name }

func messageCollected(file string, manifest *evidence.Manifest, sum string) string {
	var size int64
	for i := range manifest.Files {
		size += manifest.Files[i].Bytes
	}
	return fmt.Sprintf("%s: %d files, %d bytes before compression, SHA-256 %s", file, len(manifest.Files), size, sum)
}

func messageCut(file *evidence.File) string {
	if file.Cut {
		return fmt.Sprintf("%s is cut after %d bytes; --max-bytes and --max-total-bytes are the limits", file.Name, file.Bytes)
	}
	return fmt.Sprintf("%s ends early, after %d bytes: %s", file.Name, file.Bytes, file.Error)
}

func messageMissing(missing *evidence.Missing) string {
	return fmt.Sprintf("%s is not in the archive: %s", missing.Name, missing.Message)
}

func messageVerified(file string, manifest *evidence.Manifest) string {
	return fmt.Sprintf("%s: all %d files are as manifest.json says. Collected by %s from pod/%s in namespace %s, from %s to %s",
		file, len(manifest.Files), orNone(manifest.Collector.User), manifest.Pod.Name, manifest.Pod.Namespace,
		manifest.Started.Format(time.RFC3339), manifest.Finished.Format(time.RFC3339))
}

func errNotVerified(file string, err error) error {
	return fmt.Errorf("%s can't be verified: %w", file, err)
}

func errDiffers(file string, n int) error {
	return fmt.Errorf("%s is not as its manifest says: %d differences", file, n)
}
