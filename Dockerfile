# The image of Roomkeeper: one static binary for both roles. Built by tools/image, which prepares what is copied here.
FROM scratch
ARG TARGETARCH VERSION REVISION
LABEL org.opencontainers.image.title="roomkeeper" \
      org.opencontainers.image.description="Kubernetes operator that makes call rooms declarative" \
      org.opencontainers.image.source="https://github.com/roomkeeper/roomkeeper" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
# For media servers behind https with a certificate that everybody knows.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY $TARGETARCH/roomkeeper /roomkeeper
# The C library gives each thread memory of its own, of which a list of many Rooms leaves parts behind: one for all is a seventh less with 5,000 Rooms, and costs
# no processor time.
ENV MALLOC_ARENA_MAX=1
# By number, because Kubernetes cannot see whether a name is root.
USER 65532:65532
ENTRYPOINT ["/roomkeeper"]
