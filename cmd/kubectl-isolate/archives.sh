#!/usr/bin/env bash
# Builds the plugin for every platform, or those of PLATFORMS, into archives as krew
# installs them, and krew's manifest with their sums:
#
#   archives.sh VERSION FOLDER
set -euo pipefail
version=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
manifest=$folder/isolate-pod.yaml
sed "/^#/d; s/v0\.0\.0/$version/" "$root/.krew.yaml" >"$manifest"
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" = windows ] && suffix=.exe
	stage=$(mktemp -d)
	GOOS=$os GOARCH=$arch CGO_ENABLED=0 go build -trimpath -o "$stage/kubectl-isolate$suffix" \
		-ldflags "-s -w -X isolate.example.io/cmd/kubectl-isolate/internal/commands.stamped=$version" .
	cp "$root/LICENSE" "$stage"
	archive=kubectl-isolate-$os-$arch.tar.gz
	(cd "$stage" && tar -cf - -- * | gzip -n >"$folder/$archive")
	rm -r "$stage"
	sum=$(sha256sum "$folder/$archive" | cut -d' ' -f1)
	sed -i.bak "/$archive/{n;s/0\{64\}/$sum/;}" "$manifest"
	rm "$manifest.bak"
	echo "$folder/$archive"
done
# krew takes only releases.
case $version in v[0-9]*)
	cd "$folder" && CGO_ENABLED=0 go run sigs.k8s.io/krew/cmd/validate-krew-manifest@v0.4.3 -manifest isolate-pod.yaml -skip-install ;;
esac
