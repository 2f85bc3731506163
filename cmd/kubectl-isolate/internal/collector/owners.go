package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"isolate.example.io/quarantine"
)

// maxOwners bounds the chain of owners, in case it is a cycle.
const maxOwners = 16

// owners adds the pod's current and former owners, their owners, and so on.
func (c *Collector) owners(ctx context.Context, pod *corev1.Pod, status *quarantine.Status) error {
	next := slices.Concat(status.Record.OwnerReferences, pod.OwnerReferences)
	seen := map[string]bool{}
	for len(next) > 0 && len(seen) < maxOwners {
		ref := next[0]
		next = next[1:]
		if seen[string(ref.UID)] {
			continue
		}
		seen[string(ref.UID)] = true
		further, err := c.owner(ctx, pod.Namespace, ref)
		if err != nil {
			return err
		}
		next = append(next, further...)
	}
	return nil
}

func (c *Collector) owner(ctx context.Context, namespace string, ref metav1.OwnerReference) (owners []metav1.OwnerReference, err error) {
	file := fmt.Sprintf("owners/%s-%s.json", strings.ToLower(ref.Kind), ref.Name)
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	mapping, err := c.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		c.Archive.Miss(file, kind.String(), reason(err), err)
		return nil, nil
	}
	return owners, c.object(file, path(mapping.Resource, namespace, ref.Name), func() (any, error) {
		object, err := c.Dynamic.Resource(mapping.Resource).Namespace(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		owners = object.GetOwnerReferences()
		return object.Object, nil
	})
}
