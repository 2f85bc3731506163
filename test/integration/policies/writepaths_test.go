package policies

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// writePath is a way to write a pod.
type writePath struct {
	write write
	// kind is what the API server does with the metadata.
	kind pathKind
	// adds is set if the write removes nothing that it omits.
	adds bool
	// verb and resource are the required permission.
	verb, resource string
}

type pathKind int

const (
	direct  pathKind = iota // the API server calls the webhook
	apply                   // the same, but it can't remove fields of other managers
	status                  // writes labels and annotations, and the webhook isn't called
	binds                   // copies labels and annotations onto the pod
	dropped                 // drops metadata
)

func writePaths(s *apiServer, t *testing.T) map[string]writePath {
	t.Helper()
	all := map[string]writePath{
		"PUT":                   {put, direct, false, "update", "pods"},
		"merge patch":           {mergePatch, direct, false, "patch", "pods"},
		"strategic merge patch": {strategicPatch, direct, false, "patch", "pods"},
		"JSON patch":            {jsonPatch, direct, false, "patch", "pods"},
		"server-side apply":     {applyMetadata, apply, false, "patch", "pods"},
		"status PUT":            {putStatus, status, false, "update", "pods/status"},
		"status patch":          {writeStatus, status, false, "patch", "pods/status"},
		"status apply":          {applyStatus, status, true, "patch", "pods/status"},
		"pods/binding":          {bind, binds, true, "create", "pods/binding"},
		"bindings":              {bindOldStyle, binds, true, "create", "bindings"},
	}
	for name, write := range s.subresources(t) {
		all[name] = writePath{write, dropped, false, "update", name}
	}
	return all
}

// user is someone who writes pods.
type user struct {
	client client.Client
	name   string
	may    func(p writePath) bool
	delete bool
}

// mayPatch is the permission of a policy tool's role.
func mayPatch(p writePath) bool { return p.verb == "patch" && p.resource == "pods" }

func users(s *apiServer, t *testing.T) map[string]user {
	t.Helper()
	pods := []string{"pods", "pods/status", "pods/binding", "pods/ephemeralcontainers", "pods/resize", "bindings"}
	everything := s.addUser(t, "everything", "delete",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: pods, Verbs: []string{"*"}})
	edits := s.addUser(t, "edits", "patch",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: pods, Verbs: []string{"create", "get", "update", "patch"}})
	const tool = "system:serviceaccount:default:policy-tool"
	must(t, s.admin.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "policy-tool"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "patch", "delete"}},
	}}))
	must(t, s.admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "policy-tool"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "policy-tool"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "policy-tool"}},
	}))
	impersonated := rest.CopyConfig(s.env.Config)
	impersonated.Impersonate.UserName = tool
	nobody, err := s.env.AddUser(envtest.User{Name: "nobody"}, nil)
	must(t, err)
	return map[string]user{
		"everything":  {everything, "everything", func(writePath) bool { return true }, true},
		"edits":       {edits, "edits", func(writePath) bool { return true }, false},
		"policy tool": {newClient(t, impersonated), tool, mayPatch, true},
		"nobody":      {newClient(t, nobody.Config()), "nobody", func(writePath) bool { return false }, false},
	}
}
