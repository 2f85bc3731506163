module isolate.example.io

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus/client_golang v1.25.0
	github.com/prometheus/common v0.73.1
	gomodules.xyz/jsonpatch/v2 v2.5.0
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/client-go v0.37.2
	sigs.k8s.io/controller-runtime v0.25.2
)
