// The suite that the authors of the protocol publish. It has no case that is left out; what it skips by itself are the
// subscriptions of a service (webhooks), an extension that servers choose to have.
import { runConformanceTests } from "@durable-streams/server-conformance-tests";

runConformanceTests({ baseUrl: process.env.LIVELINE_ORIGIN, longPollTimeoutMs: 15_000 });
