package main

import (
	"context"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// push pushes the image for all architectures under the version's tag, reads it back by its
// digest, and pushes the chart. It logs in as docker does, with the configuration of docker login.
func (r *release) push(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "isolate-push-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	images, digest, err := r.openImages(dir)
	if err != nil {
		return err
	}
	repository := r.image
	if r.insecure {
		if repository, err = name.NewRepository(r.image.Name(), name.Insecure); err != nil {
			return err
		}
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(repository.Tag(r.version), images, options...); err != nil {
		return fmt.Errorf("pushing %s: %w", r.reference(), err)
	}
	pushed, err := remote.Index(repository.Digest(digest.String()), options...)
	if err == nil {
		err = validate.Index(pushed, validate.Fast)
	}
	if err != nil {
		return fmt.Errorf("reading %s back: %w", r.pinned(digest.String()), err)
	}
	fmt.Println(r.pinned(digest.String()))
	return r.pushChart(ctx)
}
