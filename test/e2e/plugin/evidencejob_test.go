package plugin

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"isolate.example.io/quarantine"
	"isolate.example.io/test/framework/audit"
	"isolate.example.io/test/framework/controlplane"
)

const (
	// evidenceNamespace is the namespace of the example's manifests.
	evidenceNamespace = "shop"
	evidenceUser      = "system:serviceaccount:" + evidenceNamespace + ":isolate-evidence"
)

// evidenceJob is the installed example, with a Job for one pod.
type evidenceJob struct {
	*namespace
	job    *batchv1.Job
	folder string
}

// newEvidenceJob installs the example in its namespace, and makes a Job from the template
// as docs/plugin.md does, without creating it: its containers are run here.
func newEvidenceJob(t *testing.T) (n *namespace, jobFor func(pod string) *evidenceJob) {
	t.Helper()
	_, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: evidenceNamespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	n = &namespace{T: t, name: evidenceNamespace}
	n.kubeconfig = n.kubeconfigOf(cluster.Config())
	root, err := controlplane.Root()
	require.NoError(t, err)
	n.kubectl("apply", "--kustomize="+filepath.Join(root, "manifests", "examples", "evidence"))

	token, err := admin.CoreV1().ServiceAccounts(n.name).CreateToken(t.Context(), "isolate-evidence", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	config := rest.AnonymousClientConfig(cluster.Config())
	config.BearerToken = token.Status.Token
	account := *n
	account.kubeconfig = n.kubeconfigOf(config)
	return n, func(pod string) *evidenceJob {
		script, found := strings.CutSuffix(documentedLine(t, "kubectl create job "), " | kubectl create -f -")
		require.True(t, found)
		cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -o pipefail; "+strings.ReplaceAll(script, "=POD", "="+pod))
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cluster.Kubectl())+":"+os.Getenv("PATH"), "KUBECONFIG="+n.kubeconfig)
		out, err := cmd.Output()
		require.NoError(t, err)
		job := &batchv1.Job{}
		require.NoError(t, json.Unmarshal(out, job))
		return &evidenceJob{namespace: &account, job: job, folder: t.TempDir()}
	}
}

// run runs the containers as the kubelet does: one after the other, until one fails.
func (j *evidenceJob) run() (ran []string, last result) {
	j.Helper()
	spec := &j.job.Spec.Template.Spec
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		require.Len(j, container.Env, 1)
		require.Equal(j, "POD", container.Env[0].Name)
		args := slices.Clone(container.Args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "$(POD)", container.Env[0].Value)
		}
		ran = append(ran, container.Name)
		last = j.runIn(j.folder, args...)
		if last.code != 0 {
			break
		}
	}
	return ran, last
}

func (j *evidenceJob) archives() []string {
	j.Helper()
	found, err := filepath.Glob(filepath.Join(j.folder, "*.tgz"))
	require.NoError(j, err)
	return found
}

func TestTheExampleJobSavesTheEvidenceBeforeThePodMayBeDeleted(t *testing.T) {
	n, jobFor := newEvidenceJob(t)
	kubelet := startKubelet(t, "node-of-evidence")
	pod := n.deploySecretive(kubelet.node)
	kubelet.logs = map[string]string{"web": "out of memory\n", "web.previous": "started\n", "proxy": "GET /\n", "migrate": "done\n"}

	job := jobFor(pod.Name)
	ran, last := job.run()
	require.Zero(t, last.code, last.errOut)
	require.Equal(t, []string{"quarantine", "collect", "unhold"}, ran)
	stored := n.pod(pod.Name)
	require.Equal(t, evidenceUser, stored.Annotations[quarantine.QuarantinedByKey])
	require.NotContains(t, stored.Annotations, quarantine.HoldKey)
	require.Len(t, job.archives(), 1)
	files, m := readArchive(t, job.archives()[0])
	require.Contains(t, files, "owners/deployment-web.json")
	for _, one := range m.Missing {
		require.Equal(t, "NotFound", one.Reason, "%s", one.Name)
	}
	n.requireThatEachPermissionIsUsed()

	// A log that can't be read keeps the hold.
	next := n.running("app=web", 1)[0]
	kubelet.logs = nil
	job = jobFor(next.Name)
	ran, last = job.run()
	require.Equal(t, 5, last.code)
	require.Equal(t, []string{"quarantine", "collect"}, ran)
	require.Len(t, job.archives(), 1)
	require.Equal(t, quarantine.True, n.pod(next.Name).Annotations[quarantine.HoldKey])
}

// requireThatEachPermissionIsUsed compares the example's roles with the audit log. No
// request shows delete, for which isolate's policy asks, and a watch is only needed if an
// EndpointSlice has the pod for a while.
func (n *namespace) requireThatEachPermissionIsUsed() {
	n.Helper()
	role, err := admin.RbacV1().Roles(n.name).Get(n.Context(), "isolate-evidence", metav1.GetOptions{})
	require.NoError(n, err)
	clusterRole, err := admin.RbacV1().ClusterRoles().Get(n.Context(), "isolate-evidence", metav1.GetOptions{})
	require.NoError(n, err)
	n.until(func() bool {
		entries, err := requests.Entries()
		require.NoError(n, err)
		return len(unused(slices.Concat(role.Rules, clusterRole.Rules), entries)) == 0
	}, "each permission of the example is used")
}

// unused returns the permissions that no request needed.
func unused(rules []rbacv1.PolicyRule, entries []audit.Entry) []string {
	var found []string
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				if verb != "delete" && verb != "watch" && !slices.ContainsFunc(entries, func(e audit.Entry) bool {
					name := strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")
					return e.Verb == verb && e.ObjectRef.APIGroup == rule.APIGroups[0] && name == resource
				}) {
					found = append(found, verb+" "+resource)
				}
			}
		}
	}
	return found
}
