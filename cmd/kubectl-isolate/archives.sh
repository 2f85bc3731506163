#!/usr/bin/env bash
# Builds the plugin for every platform, or those of PLATFORMS, into archives as krew
# installs them, and krew's manifest with their sums:
#
#   archives.sh VERSION FOLDER
#
# DOWNLOADS is where the files of all releases are, each in a folder of its version. The
# same sources, version and compiler give the same bytes.
set -euo pipefail
version=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
manifest=$folder/isolate-pod.yaml
downloads=${DOWNLOADS:-https://isolate.example.io/releases}
sed "/^#/d; s|https://isolate\.example\.io/releases|$downloads|; s/v0\.0\.0/$version/" "$root/.krew.yaml" >"$manifest"
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" = windows ] && suffix=.exe
	stage=$(mktemp -d)
	GOOS=$os GOARCH=$arch CGO_ENABLED=0 GOFLAGS='' go build -trimpath -buildvcs=false -o "$stage/kubectl-isolate$suffix" \
		-ldflags "-s -w -buildid= -X isolate.example.io/cmd/kubectl-isolate/internal/commands.stamped=$version" .
	cp "$root/LICENSE" "$stage"
	archive=kubectl-isolate-$os-$arch.tar.gz
	(cd "$stage" && chmod 644 LICENSE &&
		tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -cf - -- * | gzip -n >"$folder/$archive")
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
