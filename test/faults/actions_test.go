package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"isolate.example.io/test/framework/waiting"
)

// patience bounds a wait.
const patience = waiting.Patience

// compact removes the history of everything from etcd, so that no watch can resume where it
// ended.
func (c *cluster) compact(ctx context.Context) error {
	var current struct{ Header struct{ Revision string } }
	if err := c.etcd(ctx, "range", map[string]string{"key": "AA=="}, &current); err != nil {
		return err
	}
	return c.etcd(ctx, "compaction", map[string]string{"revision": current.Header.Revision}, &struct{}{})
}

// etcd calls a method of etcd's JSON gateway.
func (c *cluster) etcd(ctx context.Context, method string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	target := c.between("kube-apiserver", "etcd").Target
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+target+"/v3/kv/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// permit grants or revokes the webhook's permission to read a resource.
func (c *cluster) permit(ctx context.Context, resource string, granted bool) error {
	from, to := resource, resource+"-revoked"
	if granted {
		from, to = to, from
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		roles := c.admin.RbacV1().ClusterRoles()
		role, err := roles.Get(ctx, "isolate-webhook", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, rule := range role.Rules {
			if i := slices.Index(rule.Resources, from); i >= 0 {
				rule.Resources[i] = to
			}
		}
		_, err = roles.Update(ctx, role, metav1.UpdateOptions{})
		return err
	})
}
