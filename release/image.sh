#!/usr/bin/env bash
# Builds the image with the first of docker, podman and buildah that works here:
#
#   image.sh IMAGE VERSION [FLAGS...]
set -euo pipefail
image=$1 version=$2
shift 2
for builder in docker podman buildah none; do
	"$builder" info >/dev/null 2>&1 && break
done
[ "$builder" != none ] || {
	echo 'make image needs docker, podman or buildah, but none of them answers "info" here' >&2
	exit 1
}
cd "$(dirname "$0")/.."
"$builder" build "$@" --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse HEAD)" --tag "$image" .
