# isolate's image: both programs, static, and nothing else.
#
# The bases are arguments so that a release can give digests in place of the tags,
# and so that a mirror can be named:
#   docker build --build-arg BUILD_IMAGE=golang@sha256:... --build-arg VERSION=v1.2.3 .
# With their registry, since podman and buildah guess none.
ARG BUILD_IMAGE=docker.io/library/golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

# The compiler runs on the builder's own platform, whichever it builds for.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
# Modules change less often than sources: this layer is kept.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=dev
# The same sources and compiler give the same bytes: no paths, no build ID, no VCS.
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X isolate.example.io/cmd/internal/command.version=${VERSION}" \
    -o /out/ ./cmd/webhook ./cmd/sweeper && \
    touch -d @0 /out/webhook /out/sweeper

FROM ${BASE_IMAGE}
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/webhook"]
