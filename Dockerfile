# Nothing that is built here belongs to one processor, so it is built on the builder's own, once for all platforms:
# docker buildx build --platform linux/amd64,linux/arm64
FROM --platform=$BUILDPLATFORM node:24.21.0-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc LICENSE ./

FROM base AS build
RUN npm ci
COPY tsconfig.json nest-cli.json ./
COPY migrations migrations
COPY src src
RUN npm run build
RUN mkdir bin data && chmod +x dist/src/cli/countersign.js && ln -s ../dist/src/cli/countersign.js bin/countersign

FROM base AS dependencies
# Without development tools, and without the embedded PostgreSQL: the database is another container's.
RUN npm ci --omit=dev --omit=optional
# "npm sbom --omit" also leaves out what development tools share with the service.
RUN npm pkg delete devDependencies optionalDependencies && npm sbom --sbom-format=cyclonedx > sbom.cdx.json

FROM node:24.21.0-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data PATH=/app/bin:$PATH
COPY package.json LICENSE ./
# The sandbox's chat page; the sandbox is in the image for trials, and the service never loads it.
COPY --from=build /app/src/sandbox/page src/sandbox/page
# Libraries keep their licence files; the list names the licence of each.
COPY --from=dependencies /app/node_modules node_modules
COPY --from=dependencies /app/sbom.cdx.json ./
COPY --from=build /app/dist dist
COPY --from=build /app/bin bin
# Generated keys and exported checkpoints; the only place that is written to. A volume mounted here inherits its owner.
COPY --from=build --chown=1000:1000 --chmod=0700 /app/data /data
# The image's user "node", by number: an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=32", "dist/src/main.js"]
