# Botellier's images: server, operator, zookeeper, and e2e with the tools of the end-to-end tests.
#
#   docker build --target server -t botellier-server .
#
# The base images are build arguments. With BUILD=prebuilt nothing is compiled or fetched here: the context then
# holds programs/ (botellier-server, botellier-operator, botellier-e2e) and zookeeper/ (lib/ and conf/) in place of
# the sources. Every image runs as an unprivileged user and needs no writable root.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG MAVEN_IMAGE=maven:3.9-eclipse-temurin-17
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG BUILD=source

FROM ${RUST_IMAGE} AS programs-source
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked --workspace --bins \
    && mkdir /programs \
    && cp target/release/botellier-server target/release/botellier-operator target/release/botellier-e2e /programs/

FROM scratch AS programs-prebuilt
COPY programs/ /programs/

FROM programs-${BUILD} AS programs

FROM ${MAVEN_IMAGE} AS zookeeper-source
WORKDIR /source
COPY e2e/zookeeper/ .
RUN mvn -q -B dependency:copy-dependencies -DoutputDirectory=/zookeeper/lib \
    && mkdir /zookeeper/conf && cp logback.xml /zookeeper/conf/

FROM scratch AS zookeeper-prebuilt
COPY zookeeper/ /zookeeper/

FROM zookeeper-${BUILD} AS zookeeper-jars

FROM ${DEBIAN_IMAGE} AS server
COPY --from=programs /programs/botellier-server /usr/local/bin/
RUN install -d -o 6679 -g 6679 /data
USER 6679:6679
WORKDIR /data
EXPOSE 6679 16679
ENTRYPOINT ["/usr/local/bin/botellier-server"]

FROM ${DEBIAN_IMAGE} AS operator
COPY --from=programs /programs/botellier-operator /usr/local/bin/
USER 6679:6679
ENTRYPOINT ["/usr/local/bin/botellier-operator"]

# Started by the operator with a command of its own; alone it is one server that keeps its data in /data.
FROM ${DEBIAN_IMAGE} AS zookeeper
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && install -d -o 2181 -g 2181 /data
COPY --from=zookeeper-jars /zookeeper /opt/zookeeper
USER 2181:2181
WORKDIR /data
EXPOSE 2181 2888 3888
CMD ["/usr/bin/java", "-cp", "/opt/zookeeper/conf:/opt/zookeeper/lib/*", \
     "org.apache.zookeeper.server.ZooKeeperServerMain", "2181", "/data"]

FROM ${DEBIAN_IMAGE} AS e2e
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-tools \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=programs /programs/botellier-e2e /usr/local/bin/
USER 6679:6679
CMD ["sleep", "infinity"]
