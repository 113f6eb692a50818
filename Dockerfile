# One image each for client, server and stats: docker build --target server .
# Each is the base and one JavaScript file, runs as user 1000 and needs nothing writable but /data.
ARG BUN_VERSION=1.4.5

# JavaScript runs everywhere: this stage runs on the machine that builds, whatever machine the image is for.
FROM --platform=$BUILDPLATFORM oven/bun:${BUN_VERSION}-slim AS build
WORKDIR /build
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production
COPY client.ts server.ts stats.ts ./
COPY schema schema
COPY lib lib
RUN for entry in client server stats; do bun build --target=bun --outfile=/app/$entry.js ./$entry.ts || exit 1; done \
  && mkdir /data

FROM oven/bun:${BUN_VERSION}-slim AS runtime
ARG VERSION=development
ARG REVISION=
LABEL org.opencontainers.image.title="eth-client-server" \
  org.opencontainers.image.description="Watches Ethereum and tells a fleet of servers about every new block" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
COPY --from=build --chown=1000:1000 /data /data
# Files that are named without a folder, such as the spool, come to be here.
WORKDIR /data
VOLUME /data
USER 1000:1000
ENV NODE_ENV=production
# On loopback, where the health check alone asks. ETH_METRICS_HOST=0.0.0.0 opens client and server to Prometheus.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["bun", "-e", "fetch('http://127.0.0.1:' + process.env.ETH_METRICS_PORT + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

FROM runtime AS client
COPY --from=build /app/client.js /app/
ENV ETH_METRICS_PORT=9464
ENTRYPOINT ["bun", "/app/client.js"]

FROM runtime AS server
COPY --from=build /app/server.js /app/
ENV ETH_SERVER_HOST=0.0.0.0 ETH_SERVER_PORT=8888 ETH_METRICS_PORT=9464
EXPOSE 8888
ENTRYPOINT ["bun", "/app/server.js"]

FROM runtime AS stats
COPY --from=build /app/stats.js /app/
ENV ETH_STATS_HOST=0.0.0.0 ETH_STATS_PORT=5000
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["bun", "-e", "fetch('http://127.0.0.1:' + process.env.ETH_STATS_PORT + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["bun", "/app/stats.js"]
