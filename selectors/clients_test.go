package selectors

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// The clients ask for protobuf, and prune what they get.
func TestClientsPruneWhatTheyRead(t *testing.T) {
	set, ok := prunedObjects()[2].(*appsv1.ReplicaSet)
	require.True(t, ok)
	list := encoded(t, set.DeepCopy(), true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		_, _ = w.Write(list)
	}))
	t.Cleanup(server.Close)
	all, err := newClients(&rest.Config{Host: server.URL}, server.Client())
	require.NoError(t, err)
	read := &appsv1.ReplicaSetList{}
	require.NoError(t, all[appsv1.GroupName].Get().Resource("replicasets").Do(t.Context()).Into(read))
	require.Len(t, read.Items, 2)
	require.Equal(t, set.Spec.Selector, read.Items[0].Spec.Selector)
	require.Empty(t, read.Items[0].Spec.Template)
	require.Empty(t, read.Items[0].ManagedFields)
}
