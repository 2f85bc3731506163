package selectors

import (
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var jobs = schema.GroupResource{Group: "batch", Resource: "jobs"}

// The test omits each resource once.
func TestForbiddenListIsAnErrorUntilAllowed(t *testing.T) {
	t.Parallel()
	shipped := shippedRules(t)
	tried := 0
	for _, rule := range without(shipped, schema.GroupResource{}, nil) {
		resource := schema.GroupResource{Group: rule.APIGroups[0], Resource: rule.Resources[0]}
		tried++
		t.Run(resource.String(), func(t *testing.T) {
			t.Parallel()
			account := newAccount(t, shipped, resource, "list", "watch")
			watcher := start(t, account.config())
			waitFailing(t, watcher, account.forbidden(resource, "list"))
			account.allow(t, shipped)
			waitReady(t, watcher)
			_, err := watcher.Namespace("default")
			require.NoError(t, err)
		})
	}
	require.Equal(t, len(examples)+2, tried, "the selecting kinds, NetworkPolicies and EndpointSlices")
}

func TestForbiddenWatchIsAnError(t *testing.T) {
	t.Parallel()
	shipped := shippedRules(t)
	account := newAccount(t, shipped, jobs, "watch")
	watcher := start(t, account.config())
	waitFailing(t, watcher, account.forbidden(jobs, "watch"))
	account.allow(t, shipped)
	waitReady(t, watcher)
}

func TestRevokedPermissionIsAnErrorOnceTheWatchEnds(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	shipped := shippedRules(t)
	account := newAccount(t, shipped, schema.GroupResource{})
	mine := account.config()
	connection := connect(mine)
	watcher := start(t, mine)
	waitReady(t, watcher)
	gone, before := createEach(t, namespace, "gone")
	waitMatching(t, watcher, namespace, blue, before...)

	account.allow(t, without(shipped, jobs, []string{"list", "watch"}))
	account.waitFor(t, []rbacv1.PolicyRule{{APIGroups: []string{jobs.Group}, Resources: []string{jobs.Resource}, Verbs: []string{"watch"}}}, false)
	connection.CloseAll()
	waitFailing(t, watcher, account.forbidden(jobs, "list"))
	for _, object := range gone {
		remove(t, object)
	}
	account.allow(t, shipped)
	waitReady(t, watcher)
	waitMatching(t, watcher, namespace, blue)
}
