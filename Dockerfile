# Builds Warren and puts it, alone, into a small image.
#
#   docker build -t warren .
#   docker run -p 5672:5672 -p 15672:15672 -v warren-data:/var/lib/warren \
#     -e WARREN_DEFAULTS_USER=me -e WARREN_DEFAULTS_PASS=secret warren

FROM rust:1-slim-bookworm AS build
WORKDIR /warren
# mimalloc is C.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY src src
# Tests and examples are named in Cargo.toml and not needed here.
RUN sed -i '/^\[\[test\]\]/,/^$/d' Cargo.toml && cargo build --release --locked --bin warren

FROM debian:bookworm-slim
RUN useradd --system --home-dir /var/lib/warren --create-home warren
COPY --from=build /warren/target/release/warren /usr/local/bin/warren
# RabbitMQ's tools are this program under their names.
RUN for tool in rabbitmqctl rabbitmq-diagnostics rabbitmq-plugins rabbitmq-queues rabbitmq-upgrade; do \
      ln -s warren /usr/local/bin/$tool; done
COPY config.toml /etc/warren/config.toml
USER warren
WORKDIR /var/lib/warren
VOLUME /var/lib/warren
ENV WARREN_DATA_DIR=/var/lib/warren/data
EXPOSE 5672 15672 15692
# The image has no curl, and needs none.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/15672 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '200 OK' <&3"]
ENTRYPOINT ["warren", "--config", "/etc/warren/config.toml"]
