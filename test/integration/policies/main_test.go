package policies

import (
	"flag"
	"testing"

	"isolate.example.io/test/framework/controlplane"
	"isolate.example.io/test/framework/suite"
)

// root is the repository's root, seen from this package's folder.
const root = "../../.."

// assets is the folder with the API server, etcd and kubectl.
var assets string

var onOldest = flag.Bool("oldest", false, "test on Kubernetes "+controlplane.OldestVersion)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		binaries := controlplane.Binaries
		if *onOldest {
			binaries = controlplane.OldestBinaries
		}
		assets, err = s.Assets(binaries)
		return err
	})
}
