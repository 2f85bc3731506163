package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/spf13/pflag"
)

// supported are the architectures that an image can be built for.
var supported = []string{"amd64", "arm64"}

// options are the command's flags.
type options struct {
	source

	image         name.Tag
	output        string
	architectures []string
}

func main() {
	if err := writeArchives(os.Args[1:]); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func writeArchives(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(args)
	if err != nil {
		return err
	}
	return o.run(ctx)
}

func parse(args []string) (*options, error) {
	o := &options{}
	var image string
	flags := pflag.NewFlagSet("image", pflag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "The folder of the checkout.")
	flags.StringVar(&image, "image", "", "The image's name and tag, such as registry.example.com/isolate:v1.2.3. The tag is the version.")
	flags.StringVar(&o.revision, "revision", "", "The commit that is built, for the image's labels.")
	flags.StringVar(&o.url, "source", "https://isolate.example.io", "Where the sources are, for the image's labels.")
	flags.StringVar(&o.output, "output", "dist", "The folder to write to.")
	flags.StringSliceVar(&o.architectures, "architectures", supported, "The architectures to build for.")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	tag, err := name.NewTag(image, name.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("--image is %q, and must be a name and a tag, such as registry.example.com/isolate:v1.2.3", image)
	}
	o.image, o.version = tag, tag.TagStr()
	for _, architecture := range o.architectures {
		if !slices.Contains(supported, architecture) {
			return nil, fmt.Errorf("--architectures has %q, and each must be one of %v", architecture, supported)
		}
	}
	return o, nil
}

// run writes the archives, and prints each one's path and the digest of its image.
func (o *options) run(ctx context.Context) error {
	if err := os.MkdirAll(o.output, 0o755); err != nil {
		return err
	}
	repository := o.image.Context().Name()
	images := map[string]v1.Image{}
	for _, architecture := range o.architectures {
		image, err := o.build(ctx, architecture)
		if err != nil {
			return err
		}
		images[architecture] = image
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		err = o.write("isolate-image-"+architecture+".tar", digest, func(l layout.Path) error {
			return errors.Join(l.AppendImage(image, reference(repository, o.version)),
				writeDockerManifest(l, image, repository, o.version))
		})
		if err != nil {
			return err
		}
	}
	all := index(o.architectures, images)
	digest, err := all.Digest()
	if err != nil {
		return err
	}
	return o.write("isolate-image.tar", digest, func(l layout.Path) error {
		return l.AppendIndex(all, reference(repository, o.version))
	})
}

func (o *options) write(file string, digest v1.Hash, add func(layout.Path) error) error {
	path := filepath.Join(o.output, file)
	if err := writeArchive(path, add); err != nil {
		return err
	}
	fmt.Printf("%s  %s@%s\n", path, o.image, digest)
	return nil
}
