#!/usr/bin/env bash
# Fuzzes every target for a time, such as 1m:
#
#   fuzz.sh TIME
set -euo pipefail
cd "$(dirname "$0")/.."
for package in ./quarantine ./selectors ./alertreceiver; do
	for target in $(go test -list '^Fuzz' "$package" | grep ^Fuzz); do
		go test -run=NONE -fuzz="^$target\$" -fuzztime="$1" -fuzzminimizetime=2s "$package"
	done
done
