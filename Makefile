# Build, show and test isolate. `make help` says what there is; Go is all it needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One set of build flags for everything, so that nothing is compiled twice.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 10s
GOTEST := go test -count=1 -timeout=30m

VERSION ?= $(shell git describe --tags --always --dirty)
IMAGE ?= isolate.example.io/isolate:$(VERSION)

# The modules of the repository.
MODULES := . release test/cmd/kubernetes test/cmd/certmanager

.PHONY: help build image image-archive packages up down demo bench test lint unit fuzz integration e2e oldest soak

help: ## Say what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 16

build: ## Build the control plane (minutes, once) and isolate's programs
	@mkdir -p .build/bin && go build -o .build/bin/cluster ./test/cmd/cluster
	@.build/bin/cluster build

image: ## Build the image $(IMAGE) with docker, podman or buildah
	@for builder in docker podman buildah none; do "$$builder" info >/dev/null 2>&1 && break; done; \
	[ "$$builder" != none ] || { echo 'make image needs a docker, podman or buildah that works: none of them answers "info" here'; exit 1; }; \
	"$$builder" build $(IMAGE_FLAGS) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .

image-archive: ## Write the image $(IMAGE) to dist/ as OCI archives, without a container engine
	@cd release && go build -o ../.build/bin/image ./image
	@.build/bin/image --image=$(IMAGE) --revision=$$(git rev-parse HEAD)

packages: ## Install the Debian packages that tests need
	apt-get update -qq && apt-get install -qq --no-install-recommends $$(grep -v '^#' test/packages.txt)

up: ## Start a control plane with isolate on it, and leave it running
	@mkdir -p .build/bin && go build -o .build/bin/cluster ./test/cmd/cluster
	@.build/bin/cluster up

down: ## End what `make up` has started
	@mkdir -p .build/bin && go build -o .build/bin/cluster ./test/cmd/cluster
	@.build/bin/cluster down

demo: ## Play an incident from beginning to end, and check what it shows
	@go run ./test/cmd/demo

bench: ## Measure isolate beside its alternatives: ROWS=latency runs a part, QUICK=1 a smoke test
	@mkdir -p .build/bin && go build -o .build/bin/bench ./test/bench
	@.build/bin/bench --run='$(ROWS)' $(if $(QUICK),--quick) $(if $(or $(ROWS),$(QUICK)),,--markdown=docs/performance.md)

test: build lint unit fuzz integration oldest e2e ## Run every check and every test

lint: ## Look at the code: formatting, vet, import directions, habits
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	for module in $(MODULES); do (cd $$module && go mod tidy -diff && go vet ./... && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...); done

unit: ## Test each package by itself
	$(GOTEST) $$(go list ./... | grep -v /test/)
	cd test/cmd/kubernetes && $(GOTEST) ./...
	cd release && $(GOTEST) ./...

fuzz: ## Feed what strangers write for $(FUZZTIME) each
	for package in ./quarantine ./selectors; do \
		for target in $$(go test -list '^Fuzz' $$package | grep ^Fuzz); do \
			go test -run=NONE -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) $$package; \
		done; \
	done

integration: ## Test on a real API server
	$(GOTEST) ./test/framework/... ./test/integration/...

e2e: ## Test on a whole control plane, with its controllers
	$(GOTEST) ./test/e2e/...

oldest: ## Test on the oldest API server that isolate supports, which is built first: minutes
	$(GOTEST) ./test/integration/policies -oldest -skip=LargePods # Which takes as long as all the others: make soak.

soak: FUZZTIME := 5m
soak: fuzz ## Run the same checks with larger numbers
	$(GOTEST) ./test/integration/policies -oldest
	$(GOTEST) ./test/integration/sweeper -run=ManyPods -pods=5000
	$(GOTEST) ./test/e2e/availability -run=Restarts -admissions=100000
	$(GOTEST) ./test/e2e/certificates -run='LosesNoAdmission|LoseNoAdmission|SurvivesLeaderLoss' -serving-rotations=100 -ca-rotations=20
	cd release && $(GOTEST) ./image -architectures=amd64,arm64
