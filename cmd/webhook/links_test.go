package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"
)

// linkedModules are the modules that the webhook may link. API servers depend on the
// webhook, so an addition needs a reason: a module can have vulnerabilities, and takes memory
// in every replica.
var linkedModules = sets.New(
	"github.com/beorn7/perks",
	"github.com/cespare/xxhash/v2",
	"github.com/davecgh/go-spew",
	"github.com/emicklei/go-restful/v3",
	"github.com/evanphx/json-patch/v5",
	"github.com/fsnotify/fsnotify",
	"github.com/fxamacker/cbor/v2",
	"github.com/go-json-experiment/json", // encoding/json/v2 of Go 1.27
	"github.com/go-logr/logr",
	"github.com/go-openapi/jsonpointer",
	"github.com/go-openapi/jsonreference",
	"github.com/go-openapi/swag",
	"github.com/go-openapi/swag/cmdutils",
	"github.com/go-openapi/swag/conv",
	"github.com/go-openapi/swag/fileutils",
	"github.com/go-openapi/swag/jsonutils",
	"github.com/go-openapi/swag/loading",
	"github.com/go-openapi/swag/mangling",
	"github.com/go-openapi/swag/netutils",
	"github.com/go-openapi/swag/pools",
	"github.com/go-openapi/swag/stringutils",
	"github.com/go-openapi/swag/typeutils",
	"github.com/go-openapi/swag/yamlutils",
	"github.com/google/gnostic-models",
	"github.com/google/uuid",
	"github.com/json-iterator/go",
	"github.com/modern-go/concurrent",
	"github.com/modern-go/reflect2",
	"github.com/munnerz/goautoneg",
	"github.com/pandatix/go-abnf",
	"github.com/pmezard/go-difflib",
	"github.com/prometheus/client_golang",
	"github.com/prometheus/client_model",
	"github.com/prometheus/common",
	"github.com/prometheus/procfs",
	"github.com/spf13/pflag",
	"github.com/x448/float16",
	"go.yaml.in/yaml/v2",
	"go.yaml.in/yaml/v3",
	"golang.org/x/net",
	"golang.org/x/oauth2",
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/term",
	"golang.org/x/text",
	"golang.org/x/time",
	"gomodules.xyz/jsonpatch/v2",
	"google.golang.org/protobuf",
	"gopkg.in/evanphx/json-patch.v4",
	"gopkg.in/inf.v0",
	"isolate.example.io",
	"k8s.io/api",
	"k8s.io/apiextensions-apiserver",
	"k8s.io/apimachinery",
	"k8s.io/client-go",
	"k8s.io/klog/v2",
	"k8s.io/kube-openapi",
	"k8s.io/utils",
	"sigs.k8s.io/controller-runtime",
	"sigs.k8s.io/json",
	"sigs.k8s.io/randfill",
	"sigs.k8s.io/structured-merge-diff/v6",
	"sigs.k8s.io/yaml",
)

// unlinkedPackages are packages of isolate that belong to the sweeper. The authority
// brings cert-manager with it.
var unlinkedPackages = []string{"isolate.example.io/sweeper", "isolate.example.io/certs/authority", "isolate.example.io/test"}

func TestTheWebhookLinksOnlyTheseModules(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{end}}{{.ImportPath}}", ".").Output()
	require.NoError(t, err)
	linked := sets.New[string]()
	for line := range strings.Lines(string(output)) {
		module, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok { // The standard library.
			continue
		}
		linked.Insert(module)
		for _, unlinked := range unlinkedPackages {
			require.NotEqual(t, unlinked, path)
			require.False(t, strings.HasPrefix(path, unlinked+"/"), path)
		}
	}
	require.Empty(t, sets.List(linked.Difference(linkedModules)), "modules that the webhook must not link, unless they are added to the list")
	require.Empty(t, sets.List(linkedModules.Difference(linked)), "modules on the list that the webhook no longer links")
}
