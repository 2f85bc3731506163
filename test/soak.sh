#!/usr/bin/env bash
# Fuzzes for longer, and runs the tests with large numbers. It takes hours.
set -euxo pipefail
cd "$(dirname "$0")"
./fuzz.sh 10m
soak() { go test -count=1 -timeout=3h "$@"; }
make -C .. bench QUICK=1
soak ./integration/policies -oldest
soak ./integration/sweeper -run=ManyPods -pods=5000
soak ./integration/sweeper -run=SlowAPIServer -rate=60 -duration=10m -max-lag=1s
soak ./faults -run=RandomFaults -duration=1h
soak ./e2e/admission -combinations=all
soak ./e2e/availability -run=Restarts -admissions=100000
soak ./e2e/certificates -run=NoAdmission -serving-rotations=100 -ca-rotations=20
(cd ../release && soak ./image -architectures=amd64,arm64 &&
    soak ./dist -architectures=amd64,arm64 -platforms=linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64)
cd ../cmd/kubectl-isolate && soak . -platforms="linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64"
