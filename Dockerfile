# The policy service, and the demo's upstream, certificates and client: `npm run bundle`, then docker build.
FROM node:20-bookworm-slim
RUN install -d -o node -g node -m 0700 /run/policy /run/certificates /var/lib/dnspolicy
WORKDIR /app
ENV NODE_ENV=production
COPY build/image/ ./
COPY examples/ ./examples/
USER node
# The decision thread makes little that lasts: a larger nursery (48 MiB) would only be more memory that is touched.
ENTRYPOINT ["node", "--max-semi-space-size=4"]
CMD ["dnspolicy.js", "serve", "--help"]
