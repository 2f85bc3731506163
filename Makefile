# Build, demonstrate and test isolate. `make help` lists the targets. Go is all they need.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# The same build flags everywhere, so that every target shares the build cache.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath

BIN := .build/bin
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOTEST := go test -count=1 -timeout=30m
FUZZTIME ?= 1m
VERSION ?= $(shell git describe --tags --always --dirty)
IMAGE ?= isolate.example.io/isolate:$(VERSION)

# The Go modules. What only releases and tests need stays out of the product's go.mod.
MODULES := . cmd/kubectl-isolate release test/cmd/kubernetes test/cmd/certmanager test/cmd/prometheus
.PHONY: help build image image-archive plugin-archives packages up down demo bench fmt verify vuln test unit integration e2e oldest fuzz soak clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 16

build: $(BIN)/devcluster ## Build isolate and the control plane (the first time takes minutes)
	@$(BIN)/devcluster build

image: ## Build the image IMAGE with docker, podman or buildah
	@for builder in docker podman buildah none; do "$$builder" info >/dev/null 2>&1 && break; done; \
	[ "$$builder" != none ] || { echo 'make image needs docker, podman or buildah, but none of them answers "info" here'; exit 1; }; \
	"$$builder" build $(IMAGE_FLAGS) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .

image-archive: ## Write the image IMAGE to dist/ as OCI archives, without a container engine
	@cd release && go build -o ../$(BIN)/image ./image
	@$(BIN)/image --image=$(IMAGE) --revision=$$(git rev-parse HEAD)

plugin-archives: ## Build the kubectl plugin for all platforms into dist/plugin, with krew's manifest
	@cmd/kubectl-isolate/archives.sh $(VERSION) dist/plugin

packages: ## Install the Debian packages that tests need
	apt-get update -qq && apt-get install -qq --no-install-recommends $$(grep -v '^#' test/packages.txt)

up: $(BIN)/devcluster ## Start a local control plane with isolate and wait until it is ready
	@$(BIN)/devcluster up

down: $(BIN)/devcluster ## Stop what `make up` started and wait until it is gone
	@$(BIN)/devcluster down

demo: ## Play an incident from start to end and check what it shows
	@go run ./test/cmd/demo

bench: $(BIN)/bench ## Benchmark isolate and its alternatives; ROWS=latency runs some rows, QUICK=1 is a smoke test
	@$(BIN)/bench --run='$(ROWS)' $(if $(QUICK),--quick) $(if $(or $(ROWS),$(QUICK)),,--markdown=docs/performance.md)

fmt: ## Format the code and tidy go.mod
	@gofmt -w .
	@$(GOLANGCI_LINT) fmt
	@for module in $(MODULES); do (cd $$module && go mod tidy); done

verify: ## Check formatting and go.mod, vet, and lint
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	for module in $(MODULES); do (cd $$module && go mod tidy -diff && go vet ./... && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...); done

vuln: ## Check for known vulnerabilities, if vuln.go.dev can be reached
	@GOBIN=$(CURDIR)/$(BIN) go install $(GOVULNCHECK)
	@$(BIN)/govulncheck ./... 2>.build/vuln.log || { code=$$?; cat .build/vuln.log; \
	grep -q '^govulncheck: fetching vulnerabilities:' .build/vuln.log || exit $$code; \
	echo 'make vuln: NOTHING WAS CHECKED, because the database at https://vuln.go.dev cannot be reached'; }

test: build verify unit integration oldest e2e tools ## Run every check and every test

unit: ## Test each package alone, including the fuzz corpus
	$(GOTEST) $$(go list ./... | grep -v /test/) ./test/bench/... ./test/gen/...
	for module in cmd/kubectl-isolate release test/cmd/kubernetes; do (cd $$module && $(GOTEST) ./...); done

integration: ## Test against a real API server
	$(GOTEST) ./test/framework/... ./test/integration/...

e2e: ## Test on a complete control plane with its controllers
	$(GOTEST) ./test/e2e/...

tools: ## Test with the tools that isolate pods (the first build takes minutes)
	$(GOTEST) ./test/tools/...

oldest: ## Test against the oldest supported API server (the first build takes minutes)
	$(GOTEST) ./test/integration/policies -oldest -skip=LargePods

fuzz: ## Fuzz every target for FUZZTIME each
	for package in ./quarantine ./selectors; do for target in $$(go test -list '^Fuzz' $$package | grep ^Fuzz); do \
		go test -run=NONE -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=2s $$package; done; done

soak: FUZZTIME := 10m
soak: fuzz ## Run the tests with large numbers (hours)
	$(GOTEST) ./test/integration/policies -oldest
	$(GOTEST) ./test/integration/sweeper -run=ManyPods -pods=5000
	$(GOTEST) ./test/integration/sweeper -run=SlowAPIServer -rate=60 -duration=10m -max-lag=1s
	$(GOTEST) ./test/e2e/admission -combinations=all -timeout=3h
	$(GOTEST) ./test/e2e/availability -run=Restarts -admissions=100000
	$(GOTEST) ./test/e2e/certificates -run='NoAdmission' -serving-rotations=100 -ca-rotations=20
	cd release && $(GOTEST) ./image -architectures=amd64,arm64

clean: ## Stop what `make up` started and remove everything that was built
	@if [ -x $(BIN)/devcluster ]; then $(BIN)/devcluster down; fi; rm -rf .build dist

.PHONY: $(BIN)/devcluster $(BIN)/bench
$(BIN)/devcluster: ; @go build -o $@ ./test/cmd/devcluster
$(BIN)/bench: ; @go build -o $@ ./test/bench
