// Command images writes an image archive for the tests' containers: static programs
// and nothing else. isolate's own image is written by release/image.
//
//	images --name=isolate.example.io/pause:dev --output=pause.tar pause
//
// The first program is the image's entrypoint. A program may be followed by links:
// /bin/busybox=sh,tar puts busybox into the image and lets sh and tar link to it.
//
// It is a module of its own so that the product's go.mod stays small.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	reference := flag.String("name", "", "The image's name and tag.")
	output := flag.String("output", "", "The archive to write.")
	architecture := flag.String("architecture", runtime.GOARCH, "The architecture of the programs.")
	flag.Parse()
	if err := write(*reference, *output, *architecture, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "writing the image %s: %v\n", *reference, err)
		os.Exit(1)
	}
}

// write writes an archive with one image, as docker save does.
func write(reference, output, architecture string, programs []string) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return errors.New("no program is given: name at least one after the flags")
	}
	files, err := archive(programs)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	first, _, _ := strings.Cut(programs[0], "=")
	config.Config = v1.Config{Entrypoint: []string{"/bin/" + filepath.Base(first)}, Env: []string{"PATH=/bin"}}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	return tarball.WriteToFile(output, tag, image)
}

// archive returns the image's files as a tar: the programs in /bin, and a /tmp.
func archive(programs []string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	headers := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
	}
	contents := map[string][]byte{}
	for _, program := range programs {
		file, links, _ := strings.Cut(program, "=")
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		target := path.Join("bin", filepath.Base(file))
		contents[target] = data
		headers = append(headers, &tar.Header{Typeflag: tar.TypeReg, Name: target, Mode: 0o755, Size: int64(len(data))})
		for link := range strings.SplitSeq(links, ",") {
			if link != "" {
				headers = append(headers, &tar.Header{Typeflag: tar.TypeSymlink, Name: path.Join("bin", link), Linkname: filepath.Base(file), Mode: 0o777})
			}
		}
	}
	for _, header := range headers {
		header.ModTime = time.Unix(0, 0)
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(contents[header.Name]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
