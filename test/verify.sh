#!/usr/bin/env bash
# Checks the formatting, and go.mod, vet and the linters of Go modules, each in a folder. A
# module without Go files only names the programs that it builds.
#
#   verify.sh GOLANGCI_LINT MODULE...
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD lint=$1
shift
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "make fmt would change: $unformatted" >&2; exit 1; }
for module in "$@"; do
	echo "verifying $module"
	cd "$root/$module"
	go mod tidy -diff
	[ -n "$(git ls-files '*.go')" ] || continue
	go vet ./...
	$lint run --config "$root/.golangci.yml" ./...
done
