package quarantine

import (
	"slices"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A review that the API server did not send may have hundreds of thousands of owners. Were
// each searched for in a list, this test would take minutes.
func TestOwnersAreMergedWithoutSearchingLists(t *testing.T) {
	const n = 200_000
	refs := make([]metav1.OwnerReference, 2*n)
	for i := range refs {
		refs[i].UID = types.UID(strconv.Itoa(i))
	}
	if !slices.Equal(refs, mergeOwners(refs[:n], refs[n/2:])) {
		t.Error("the merged owners differ")
	}
}
