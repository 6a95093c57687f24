# The operator's image: one static program, the public certificate authorities, and nothing else.
#
# The program is built outside, where the toolchain and its caches are, and copied in. `make image` does it all:
#
#   host=$(rustc -vV | sed -n 's/^host: //p')
#   RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked -p moorage --bin moorage --target "$host"
#   install -D -m 0555 "target/$host/release/moorage" target/image/moorage
#   install -D -m 0444 /etc/ssl/certs/ca-certificates.crt target/image/ca-certificates.crt
#   buildah build --isolation chroot --file Dockerfile --tag moorage:dev target/image
#
# A static glibc resolves names by itself (files and DNS, with no other name service), so `scratch` is enough.
FROM scratch

LABEL org.opencontainers.image.title="moorage" \
      org.opencontainers.image.description="A Kubernetes operator that gives every customer a dedicated agent runtime on Fly Machines" \
      org.opencontainers.image.licenses="Apache-2.0"

# Where the TLS verifier looks for the authorities that sign api.machines.dev and fly.dev.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY moorage /moorage

USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/moorage"]
CMD ["run", "--config", "/etc/moorage/config.yaml"]
