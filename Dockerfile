# isolate's image: its three static programs and nothing else. There is no base image to
# pull, to patch or to trust.
#
# The build image is an argument, so that a release can give a digest in place of the tag
# and a mirror can be named:
#   docker build --build-arg BUILD_IMAGE=golang@sha256:... --build-arg VERSION=v1.2.3 .
# Its name has a registry because podman and buildah don't guess one.
#
# "make image-archive" makes the same layer without a container engine.
ARG BUILD_IMAGE=docker.io/library/golang:1.26

# The compiler runs on the builder's own platform, whichever it builds for.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
# Modules change less often than sources: this layer stays cached.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=dev
RUN release/programs.sh /out

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
ARG SOURCE=https://isolate.example.io
LABEL org.opencontainers.image.title="isolate" \
      org.opencontainers.image.description="Takes a misbehaving pod out of traffic and keeps it for investigation." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/webhook"]
