#!/usr/bin/env bash
# Checks Go modules, each in a folder, for known vulnerabilities. It fails if there is one,
# and says so if the database can't be reached:
#
#   vuln.sh MODULE...
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.build/bin log=$PWD/.build/vuln.log
GOBIN=$bin go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
for module in "$@"; do
	[ -n "$(git ls-files "$module/*.go")" ] || continue # It only names the programs that it builds.
	(cd "$module" && "$bin/govulncheck" ./...) 2>"$log" && continue
	cat "$log" >&2
	grep -q '^govulncheck: fetching vulnerabilities:' "$log" || exit 1
	echo 'make vuln: NOT CHECKED, because the database at https://vuln.go.dev cannot be reached'
	exit 0
done
