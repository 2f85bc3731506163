# Build, demonstrate and test isolate. `make help` lists the targets. Go is all they need.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# The same build flags everywhere, so that every target shares the build cache.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath
BIN := .build/bin
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOTEST := go test -count=1 -timeout=30m
FUZZTIME ?= 1m
VERSION ?= $(shell git describe --tags --always --dirty)
IMAGE ?= isolate.example.io/isolate:$(VERSION)

# The Go modules. What only releases and tests need stays out of the product's go.mod.
MODULES := $(shell git ls-files '*go.mod' | xargs -n1 dirname)
# Whether a real node can run here: as root, on Linux.
ROOT := $(filter Linux/0,$(shell uname)/$(shell id -u))
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*##.*/\1/p' Makefile)

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 16

build: $(BIN)/devcluster ## Build isolate and the control plane (the first time takes minutes)
	@$(BIN)/devcluster build

image: ## Build the image IMAGE with docker, podman or buildah
	@release/image.sh $(IMAGE) $(VERSION) $(IMAGE_FLAGS)
image-archive: ## Write the image IMAGE to dist/ as OCI archives, without a container engine
	@cd release && go build -o ../$(BIN)/image ./image && cd .. && $(BIN)/image --image=$(IMAGE) --revision=$$(git rev-parse HEAD)
plugin-archives: ## Build the kubectl plugin for all platforms into dist/plugin, with krew's manifest
	@cmd/kubectl-isolate/archives.sh $(VERSION) dist/plugin
chart: ## Write charts/isolate from the manifests
	@go run ./charts/generate

release-tag: ## Commit VERSION's image to the manifests, beside the branch, and tag that: VERSION=v1.2.3 IMAGE=ghcr.io/OWNER/isolate
release: ## Write everything that the tag VERSION publishes to dist/, the same bytes every time
release-verify: ## Check that dist/ is the release of the tag VERSION
release-push: ## Push the image and the chart in dist/ to their registry
release-tag release release-verify release-push:
	@cd release && go build -o ../$(BIN)/dist ./dist && cd .. && $(BIN)/dist $(patsubst release-%,%,$(@:release=build)) --version=$(VERSION) --image=$(IMAGE) $(RELEASE_FLAGS)

packages: ## Install the Debian packages that tests need
	apt-get update -qq && apt-get install -qq --no-install-recommends $$(grep -v '^#' test/packages.txt)

up: ## Start a local control plane with isolate and wait until it is ready
node: ## Start a cluster with a real node and isolate in containers (root on Linux; the first build takes minutes)
down: ## Stop what `make up` and `make node` started and wait until it is gone
up node down: $(BIN)/devcluster
	@$(BIN)/devcluster $@

demo: ## Play an incident from start to end and check it; NODE=1 on a real node, CONTEXT=kind-kind on a cluster of yours
	@go run ./test/cmd/demo $(if $(NODE),--node) $(CONTEXT:%=--context=%) $(DEMO_IMAGE:%=--image=%)
demo-image: ## Write the image of the application of make demo CONTEXT=... to dist/ as an archive
	@test/cmd/images/demo.sh

bench: $(BIN)/bench ## Benchmark isolate and its alternatives; ROWS=latency runs some rows, QUICK=1 is a smoke test
	@$(BIN)/bench --run='$(ROWS)' $(if $(QUICK),--quick) $(if $(or $(ROWS),$(QUICK)),,--markdown=docs/performance.md)

fmt: ## Format the code and tidy go.mod
	@gofmt -w .
	@$(GOLANGCI_LINT) fmt
	@for module in $(MODULES); do (cd $$module && go mod tidy); done
verify: ## Check formatting and go.mod, vet, and lint
	@test/verify.sh "$(GOLANGCI_LINT)" $(MODULES)
vuln: ## Check for known vulnerabilities, if vuln.go.dev can be reached
	@test/vuln.sh $(MODULES)

test: build verify unit integration oldest e2e faults tools ## Run every check and every test

unit: ## Test each package alone, including the fuzz corpus
	$(GOTEST) $$(go list ./... | grep -v /test/) ./test/bench/... ./test/gen/...
	for module in cmd/kubectl-isolate release test/cmd/kubernetes; do (cd $$module && $(GOTEST) ./...); done
integration: ## Test against a real API server
	$(GOTEST) ./test/framework/... ./test/integration/...
oldest: ## Test against the oldest supported API server (the first build takes minutes)
	$(GOTEST) ./test/integration/policies -oldest -skip=LargePods
e2e: $(if $(ROOT),e2e-node) ## Test on a complete control plane with its controllers, and on a real node where that can run
	@$(if $(ROOT),,echo 'make e2e: the tests on a real node do not run here; they need root on Linux: sudo make e2e-node')
	$(GOTEST) $$(go list ./test/e2e/... | grep -v /e2e/node$$)
e2e-node: ## Test on a real node, with containers and traffic (root on Linux; the first build takes minutes)
	$(GOTEST) ./test/e2e/node
faults: ## Test with failing networks, killed programs and clients that lie
	$(GOTEST) ./test/faults/...
tools: ## Test with the tools that isolate pods (the first build takes minutes)
	$(GOTEST) ./test/tools/...

fuzz: ## Fuzz every target for FUZZTIME each
	@test/fuzz.sh $(FUZZTIME)
soak: ## Fuzz for longer and run the tests with large numbers (hours)
	@test/soak.sh

clean: ## Stop what `make up` started and remove everything that was built
	@if [ -x $(BIN)/devcluster ]; then $(BIN)/devcluster down; fi; rm -rf .build dist

.PHONY: $(BIN)/devcluster $(BIN)/bench
$(BIN)/devcluster: ; @go build -o $@ ./test/cmd/devcluster
$(BIN)/bench: ; @go build -o $@ ./test/bench
