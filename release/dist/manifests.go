package main

import (
	"fmt"
	"path/filepath"
	"regexp"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// installations are the files with everything to apply, and their overlays.
var installations = map[string]string{
	"install.yaml":              "manifests/overlays/default",
	"install-cert-manager.yaml": "manifests/overlays/cert-manager",
}

// imageOverride is what the tag's commit adds to the base's kustomization.
func (r *release) imageOverride() string {
	return fmt.Sprintf("images:\n- name: isolate.example.io/isolate\n  newName: %s\n  newTag: %s\n", r.image.Name(), r.version)
}

var imageField = regexp.MustCompile(`(?m)^(\s*(?:- )?image: )(\S+)$`)

// installation builds an overlay with the library of the kustomize that is in kubectl, and
// pins the image to a digest. The manifests must name the image of this release already.
func (r *release) installation(overlay, digest string) (string, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // As kubectl does: namespaces first, webhooks last.
	objects, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(r.root, overlay))
	if err != nil {
		return "", fmt.Errorf("building %s: %w", overlay, err)
	}
	text, err := objects.AsYaml()
	if err != nil {
		return "", fmt.Errorf("building %s: %w", overlay, err)
	}
	for _, found := range imageField.FindAllStringSubmatch(string(text), -1) {
		if found[2] != r.reference() {
			return "", errManifestImage(found[2], r.reference())
		}
	}
	pinned := imageField.ReplaceAllString(string(text), "${1}"+r.reference()+"@"+digest)
	return fmt.Sprintf("# isolate %s, built from %s. Install or upgrade it with: kubectl apply --server-side -f FILE\n%s", r.version, overlay, pinned), nil
}

// pinned returns the reference by digest that every installation has.
func (r *release) pinned(digest string) string { return r.reference() + "@" + digest }
