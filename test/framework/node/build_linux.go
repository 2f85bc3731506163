package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"isolate.example.io/test/framework/controlplane"
)

// The images of the node. The tag matters to the kubelet: it would pull latest.
const (
	IsolateImage  = "isolate.example.io/isolate:dev"
	WorkloadImage = "isolate.example.io/workload:dev"
	pauseImage    = "isolate.example.io/pause:dev"
)

// busybox is Debian's static busybox, for the shell and the tar in the workload's image.
const busybox = "/bin/busybox"

// Built are the programs and images that [Build] built.
type Built struct {
	// Binaries is the folder with the control plane's programs.
	Binaries string
	Node     controlplane.NodePrograms
	// Archives is the folder with the image archives.
	Archives string
}

// archive returns the path of an image archive.
func (b Built) archive(name string) string { return filepath.Join(b.Archives, name+".tar") }

// The names of the archives. The first is what release/image calls its own.
const (
	isolateArchive  = "isolate-image-" + runtime.GOARCH
	workloadArchive = "workload"
	pauseArchive    = "pause"
)

// Build builds all programs and images that are missing or out of date, and reports
// progress to the writer. The first build takes minutes. Run it outside of the node's
// namespaces: from inside, no module can be downloaded.
func Build(ctx context.Context, progress io.Writer) (b Built, err error) {
	root, err := controlplane.Root()
	if err != nil {
		return b, err
	}
	if b.Binaries, err = controlplane.Binaries(ctx, progress); err != nil {
		return b, err
	}
	if b.Node, err = controlplane.NodeBinaries(ctx, progress); err != nil {
		return b, err
	}
	b.Archives = filepath.Join(root, ".build", "images")
	unlock, err := controlplane.Lock(b.Archives + ".lock")
	if err != nil {
		return b, err
	}
	defer unlock()
	fmt.Fprintln(progress, "building the images")
	if err := os.MkdirAll(b.Archives, 0o755); err != nil {
		return b, err
	}
	if err := b.buildImages(ctx, root); err != nil {
		return b, fmt.Errorf("building the images: %w", err)
	}
	fmt.Fprintln(progress, "built the images")
	return b, nil
}

func (b Built) buildImages(ctx context.Context, root string) error {
	programs := filepath.Join(b.Archives, "programs") + string(filepath.Separator)
	images := filepath.Join(b.Node.Images, "images")
	for _, step := range [][]string{
		{root, "go", "build", "-ldflags=-s -w", "-o", programs, "./test/cmd/pause", "./test/cmd/workload"},
		{root, images, "--name=" + pauseImage, "--output=" + b.archive(pauseArchive), programs + "pause"},
		{root, images, "--name=" + WorkloadImage, "--output=" + b.archive(workloadArchive), programs + "workload", busybox + "=sh,tar,cat,ls,ps,kill,hostname"},
		{filepath.Join(root, "release"), "go", "build", "-o", programs + "image", "./image"},
		{root, programs + "image", "--root=" + root, "--image=" + IsolateImage, "--output=" + b.Archives, "--architectures=" + runtime.GOARCH, "--revision=test"},
	} {
		cmd := exec.CommandContext(ctx, step[1], step[2:]...)
		cmd.Dir = step[0]
		// Root may not read the version from a checkout of another user.
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(step[1:], " "), err, out)
		}
	}
	return nil
}
