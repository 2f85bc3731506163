package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// kustomization is the file that names the image of a release. It is the only one that the
// commit of a tag changes.
const kustomization = "manifests/base/kustomization.yaml"

// tag commits the manifests with the image of the release, and tags that commit. Neither
// the branch nor the working tree changes: on the branch, manifests name no release.
//
// With it, "kubectl apply -k URL?ref=TAG" installs the tag's own image. Its digest can't
// be in the commit: the image has the commit in its labels.
func (r *release) tag(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	if _, err := r.notes(); err != nil {
		return err
	}
	if out, err := r.git(ctx, nil, nil, "tag", "--list", r.version); err != nil || out != "" {
		if err == nil {
			err = errTagExists(r.version)
		}
		return err
	}
	commit, err := r.commit(ctx)
	if err != nil {
		return err
	}
	if _, err := r.git(ctx, nil, nil, "tag", "--annotate", "--message=isolate "+r.version, r.version, commit); err != nil {
		return err
	}
	fmt.Printf("tagged %s: HEAD with the image %s\n\nPublish it:\n  git push origin %s\n", r.version, r.reference(), r.version)
	return nil
}

// commit writes the commit of the tag, whose parent is HEAD, with an index of its own.
func (r *release) commit(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "isolate-tag-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	data, err := os.ReadFile(filepath.Join(r.root, kustomization))
	if err != nil {
		return "", err
	}
	blob, err := r.git(ctx, nil, append(data, r.imageOverride()...), "hash-object", "-w", "--stdin")
	if err != nil {
		return "", err
	}
	var last string
	for _, args := range [][]string{
		{"read-tree", "HEAD"},
		{"update-index", "--cacheinfo", "100644," + blob + "," + kustomization},
		{"write-tree"},
	} {
		if last, err = r.git(ctx, index, nil, args...); err != nil {
			return "", err
		}
	}
	return r.git(ctx, nil, nil, "commit-tree", "-p", "HEAD", "-m", "Name the image of "+r.version+" in the manifests", last)
}

// clean fails if anything in the checkout is not committed.
func (r *release) clean(ctx context.Context) error {
	changed, err := r.git(ctx, nil, nil, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return errDirty(changed)
	}
	return nil
}

// tagged fails unless the checkout is the tag, and the tag's commit changes only the image.
func (r *release) tagged(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	tags, err := r.git(ctx, nil, nil, "tag", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(tags), r.version) {
		return errNotTagged(r.version)
	}
	changed, err := r.git(ctx, nil, nil, "diff", "--name-only", "HEAD^", "HEAD")
	if err != nil {
		return err
	}
	if changed != kustomization {
		return errOtherChanges(r.version, changed)
	}
	return nil
}

// git runs git in the checkout, and returns what it prints.
func (r *release) git(ctx context.Context, env []string, input []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = r.root, append(os.Environ(), env...), bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
