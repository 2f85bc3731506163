package contract

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/installation"
	"isolate.example.io/test/framework/suite"
)

var (
	cluster *controlplane.ControlPlane
	admin   *kubernetes.Clientset
	page    string

	// dir is a temporary folder.
	dir string
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		root, err := controlplane.Root()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, "docs", "tools.md"))
		if err != nil {
			return err
		}
		page, dir = string(text), s.Dir
		if cluster, _, err = s.Isolated(installation.Options{}); err != nil {
			return err
		}
		admin, err = kubernetes.NewForConfig(cluster.Config())
		return err
	})
}

// section returns the page's text under a heading, up to the next one of its level.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	require.True(t, found, "docs/tools.md has no heading %q", heading)
	level, _, _ := strings.Cut(heading, " ")
	text, _, _ = strings.Cut(text, "\n"+level+" ")
	return text
}

// program returns the page's code block in this language.
func program(t *testing.T, language string) string {
	t.Helper()
	code, err := block(language)
	require.NoError(t, err)
	return code
}

func block(language string) (string, error) {
	_, code, found := strings.Cut(page, "\n```"+language+"\n")
	code, rest, closed := strings.Cut(code, "\n```\n")
	if !found || !closed || strings.Contains(rest, "\n```"+language+"\n") {
		return "", fmt.Errorf("docs/tools.md must have one block of %s", language)
	}
	return code + "\n", nil
}

// detector returns the client config of a new ServiceAccount that may do this with the pods
// of the namespace.
func detector(ctx context.Context, t *testing.T, namespace string, verbs ...string) *rest.Config {
	t.Helper()
	create := metav1.CreateOptions{}
	meta := metav1.ObjectMeta{Name: "detector"}
	_, err := admin.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, create)
	require.NoError(t, err)
	_, err = admin.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: verbs},
	}}, create)
	require.NoError(t, err)
	_, err = admin.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: meta.Name}},
	}, create)
	require.NoError(t, err)
	config, err := cluster.ServiceAccountConfig(ctx, namespace, meta.Name)
	require.NoError(t, err)
	return config
}
