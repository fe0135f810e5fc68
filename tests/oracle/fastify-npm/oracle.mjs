// Plugins of Fastify from npm, each in a small tree, as `fastify start` runs it.

import fastify from "../fastify/oracle.mjs";

export default {
  ...fastify,
  headers: [
    ...fastify.headers,
    "accept-ranges",
    "content-range",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "referrer-policy",
    "strict-transport-security",
  ],
};
