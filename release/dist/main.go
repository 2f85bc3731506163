package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/pflag"
	"golang.org/x/mod/semver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is what the flags say.
type release struct {
	// root is the checkout's folder, and output the folder of the release's files.
	root, output string

	// version is the tag, such as v1.2.3.
	version string

	// image is the repository of the image, without a tag.
	image name.Repository

	// source is where the sources are, and downloads where the files of all releases are.
	source, downloads string

	// architectures are those of the image, platforms those of the plugin.
	architectures, platforms []string

	// insecure lets push use plain http.
	insecure bool
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(*release, context.Context) error{
		"tag": (*release).tag, "build": (*release).build, "verify": (*release).verify, "push": (*release).push,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return errCommand(slices.Sorted(maps.Keys(commands)))
	}
	r, err := parse(args[1:])
	if err != nil {
		return err
	}
	return commands[args[0]](r, ctx)
}

func parse(args []string) (*release, error) {
	r := &release{}
	var image string
	flags := pflag.NewFlagSet("dist", pflag.ContinueOnError)
	flags.StringVar(&r.root, "root", ".", "The folder of the checkout.")
	flags.StringVar(&r.output, "output", "dist", "The folder of the release's files.")
	flags.StringVar(&r.version, "version", "", "The version, which is the tag, such as v1.2.3.")
	flags.StringVar(&image, "image", "", "The repository of the image, without a tag, such as ghcr.io/OWNER/isolate.")
	flags.StringVar(&r.source, "source", "", "Where the sources are, for the image's labels. An image at ghcr.io has the sources of its name at github.com.")
	flags.StringVar(&r.downloads, "downloads", "", "Where the files of all releases are, each in a folder with the version's name, for krew. The sources' own releases by default.")
	flags.StringSliceVar(&r.architectures, "architectures", []string{"amd64", "arm64"}, "The architectures of the image.")
	flags.StringSliceVar(&r.platforms, "platforms", []string{
		"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64",
	}, "The platforms of the plugin.")
	flags.BoolVar(&r.insecure, "insecure", false, "Push over plain http.")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if !isVersion(r.version) {
		return nil, errVersion(r.version)
	}
	repository, err := name.NewRepository(image, name.StrictValidation)
	if err != nil {
		return nil, errImage(image)
	}
	r.image = repository
	r.setDefaults()
	return r, nil
}

// setDefaults derives from the image where sources and files are. All of it is in the
// release, so anyone who builds a release again gets the same bytes without more flags.
func (r *release) setDefaults() {
	home, releases := "https://isolate.example.io", "/releases"
	if r.image.RegistryStr() == "ghcr.io" {
		home, releases = "https://github.com/"+r.image.RepositoryStr(), "/releases/download"
	}
	r.source = cmp.Or(r.source, home)
	r.downloads = cmp.Or(r.downloads, r.source+releases)
}

// isVersion reports whether a tag is a version: v1.2.3 or v1.2.3-rc.1. A build suffix, after
// a plus sign, can't be in an image's tag.
func isVersion(tag string) bool {
	return semver.IsValid(tag) && semver.Canonical(tag) == tag
}

// number returns the version without the v, as the changelog and the chart have it.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// reference returns the image's name and tag.
func (r *release) reference() string { return r.image.Name() + ":" + r.version }
