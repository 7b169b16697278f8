# The image: one binary, the few libraries it needs, and nothing else: no shell, no packages, no root.
#
#   docker build --tag vectra-hub .    builds everything, from a base image that has git, make and npm
#   make image                         the same without fetching a base image: the binary is compiled on this machine
#
# The base decides which C library the image gets: the one that the binary was linked with, glibc.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
ARG COMMIT=unknown
RUN make dist/image COMMIT="${COMMIT}" && mv dist/image/* /

FROM scratch
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="vectra-hub" \
      org.opencontainers.image.description="A WebSocket hub between one busy worker and many watching dashboards" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /rootfs/ /
# A new named volume takes over the owner of the folder that it is mounted on, so that HISTORY_FILE can be written there.
COPY --from=build --chown=65534:65534 /data/ /data/
ENV ENV=production
USER 65534:65534
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/vectra-hub", "healthcheck"]
ENTRYPOINT ["/vectra-hub"]
