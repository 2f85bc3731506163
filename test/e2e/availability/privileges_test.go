package availability

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"isolate.example.io/certs/authority"
	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/audit"
	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/manifests"
)

// permission is one verb on one resource. An empty namespace or name means all.
type permission struct{ user, namespace, group, resource, name, verb string }

// The programs run with their shipped ServiceAccounts and exercise everything that
// they do. No request is denied, and no permission stays unused.
func TestRolesGrantExactlyWhatIsUsed(t *testing.T) {
	log, err := audit.New(t.TempDir(), `{"level": "Metadata", "userGroups": ["system:serviceaccounts:`+installation.Namespace+`"]}`)
	require.NoError(t, err)
	var flags []string
	for name, value := range log.Flags() {
		flags = append(flags, "--"+name+"="+value)
	}
	c := start(t, controlplane.Options{APIServerFlags: flags})
	granted := c.granted("overlays/default")
	for p := range c.granted("overlays/cert-manager") {
		require.Contains(t, granted, p, "of the overlay that nothing is tried of here")
	}
	for p := range granted {
		everywhere := p
		everywhere.namespace = ""
		require.False(t, p.namespace != "" && granted[everywhere], "granted everywhere too: %+v", p)
	}

	c.everythingHappens()

	unused := granted
	var entries []audit.Entry
	c.until(func() bool {
		entries, err = log.Entries()
		require.NoError(t, err)
		maps.DeleteFunc(unused, func(p permission, _ bool) bool { return slices.ContainsFunc(entries, p.covers) })
		return len(unused) == 0
	}, "each permission is used; not so: %v", unused)
	for _, e := range entries {
		// An apply that creates is authorized a second time, which the audit log shows only
		// as the response code.
		require.Equal(t, "allow", e.Annotations["authorization.k8s.io/decision"], "%+v", e)
		require.NotEqual(t, http.StatusForbidden, e.ResponseStatus.Code, "%+v", e)
	}
}

// everythingHappens makes isolate publish every event that is possible within a
// minute, reissue its certificates and change the leader.
func (c *cluster) everythingHappens() {
	c.Helper()
	c.kubectl("create", "namespace", "shop")
	c.kubectl("run", "ignored", "--namespace=shop", "--image=web:1", "--annotations="+quarantine.TriggerKey+"=true")
	c.kubectl("run", "damaged", "--namespace=shop", "--image=web:1", "--annotations="+quarantine.RecordKey+"={}")
	c.install(installation.Options{SweeperFlags: []string{"--replacement-timeout=10s", "--lease-duration=3s", "--propagation-delay=1s"}})
	for name, replicas := range map[string]string{"web": "2", "short": "1"} {
		c.kubectl("create", "deployment", name, "--namespace=shop", "--image=web:1", "--replicas="+replicas)
	}
	c.kubectl("run", "free", "--namespace=shop", "--image=web:1")
	pods, short, free := c.running("shop", "app=web", 2), c.running("shop", "app=short", 1), c.running("shop", "run=free", 1)

	c.quarantine(pods[0], quarantine.TTLKey+"=1s")
	c.quarantine(pods[1])
	c.quarantine(free[0])
	// A ReplicaSet may delete a pod as soon as that is released. Nobody deletes this one.
	c.kubectl("annotate", "pod", "--namespace=shop", free[0].Name, quarantine.TriggerKey+"-")
	c.kubectl("create", "service", "clusterip", "greedy", "--namespace=shop", "--tcp=80")
	c.kubectl("set", "selector", "service", "greedy", "--namespace=shop", "app="+pods[1].Labels["app"])
	c.waitEvents("shop", "Quarantined", "ExpiresSoon", "Expired", "Released", "Leaked", "Ignored", "BadRecord")
	c.kubectl("create", "quota", "full", "--namespace=shop", "--hard=pods=1")
	c.quarantine(short[0])
	c.waitEvents("shop", "ReplacementMissing")

	c.loseBundle()
	c.loseSecret(authority.ServingSecret)
	c.loseSecret(authority.CASecret)
	c.changeLeader()
}

// loseBundle empties the webhook configuration's CA bundle and waits until it is repaired.
func (c *cluster) loseBundle() {
	c.Helper()
	bundle := func() string {
		return c.kubectl("get", "mutatingwebhookconfiguration", authority.Configuration, "--output=jsonpath={.webhooks[0].clientConfig.caBundle}")
	}
	before := bundle()
	c.kubectl("patch", "mutatingwebhookconfiguration", authority.Configuration, "--type=json",
		`--patch=[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]`)
	c.until(func() bool { return bundle() == before }, "the bundle is there again")
}

// loseSecret deletes a Secret and waits until it is recreated.
func (c *cluster) loseSecret(name string) {
	c.Helper()
	c.kubectl("delete", "secret", name, "--namespace="+installation.Namespace)
	c.until(func() bool {
		_, err := c.admin.CoreV1().Secrets(installation.Namespace).Get(c.Context(), name, metav1.GetOptions{})
		return err == nil
	}, "there is a Secret %s", name)
}

// changeLeader kills the leading sweeper and waits until another one leads.
func (c *cluster) changeLeader() {
	c.Helper()
	leader := func() string {
		return c.kubectl("get", "lease", "isolate-sweeper", "--namespace="+installation.Namespace, "--output=jsonpath={.spec.holderIdentity}")
	}
	before := leader()
	for _, program := range c.isolate.Programs() {
		if program.Name == "sweeper" {
			program.Kill()
		}
	}
	_, err := c.isolate.StartSweeper(c.Context())
	require.NoError(c, err)
	c.until(func() bool { now := leader(); return now != "" && now != before }, "another sweeper leads")
	c.waitEvents(installation.Namespace, "LeaderElection")
}

// waitEvents waits until the namespace has events with all these reasons.
func (c *cluster) waitEvents(namespace string, reasons ...string) {
	c.Helper()
	found := map[string]bool{}
	c.until(func() bool {
		events, err := c.admin.EventsV1().Events(namespace).List(c.Context(), metav1.ListOptions{})
		require.NoError(c, err)
		for _, event := range events.Items {
			found[event.Reason] = true
		}
		return !slices.ContainsFunc(reasons, func(reason string) bool { return !found[reason] })
	}, "there are the events %v; so far: %v", reasons, found)
}

// granted returns the permissions that an overlay grants isolate's ServiceAccounts.
func (c *cluster) granted(overlay string) map[permission]bool {
	c.Helper()
	objects, err := manifests.Build(c.Context(), c.Kubectl(), filepath.Join(c.root(), "manifests"), overlay)
	require.NoError(c, err)
	roles := map[string][]rbacv1.PolicyRule{}
	for _, object := range objects {
		if strings.HasSuffix(object.GetKind(), "Role") { // ClusterRoles and Roles have the same fields.
			roles[object.GetKind()+"/"+object.GetName()] = as[rbacv1.Role](c, object).Rules
		}
	}
	all := map[permission]bool{}
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "RoleBinding") {
			continue
		}
		binding := as[rbacv1.RoleBinding](c, object)
		for _, subject := range binding.Subjects {
			user := "system:serviceaccount:" + subject.Namespace + ":" + subject.Name
			for _, rule := range roles[binding.RoleRef.Kind+"/"+binding.RoleRef.Name] {
				maps.Copy(all, permissions(user, binding.Namespace, rule))
			}
		}
	}
	require.NotEmpty(c, all)
	return all
}

func as[T any](c *cluster, object *unstructured.Unstructured) T {
	var typed T
	require.NoError(c, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed))
	return typed
}

func permissions(user, namespace string, rule rbacv1.PolicyRule) map[permission]bool {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	all := map[permission]bool{}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					all[permission{user, namespace, group, resource, name, verb}] = true
				}
			}
		}
	}
	return all
}

// covers reports whether a request used this permission.
func (p permission) covers(e audit.Entry) bool {
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}
	verbs := []string{e.Verb}
	switch {
	case e.Verb == "watch" && strings.Contains(e.RequestURI, "sendInitialEvents=true"):
		verbs = append(verbs, "list") // API servers without streaming lists get a list request.
	case e.Verb == "patch" && e.ResponseStatus.Code == http.StatusCreated:
		verbs = append(verbs, "create") // A server-side apply; see the tests of package certs.
	}
	return p.user == e.User.Username && p.group == e.ObjectRef.APIGroup && p.resource == resource && slices.Contains(verbs, p.verb) &&
		(p.namespace == "" || p.namespace == e.ObjectRef.Namespace) && (p.name == "" || p.name == e.ObjectRef.Name)
}
