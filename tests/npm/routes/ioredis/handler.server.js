import { Redis } from "ioredis";

export default async () => {
  const redis = new Redis({ lazyConnect: true, port: Number(process.env.CLOSED_PORT), retryStrategy: null, maxRetriesPerRequest: 0 });
  redis.on("error", () => {});
  const failed = await redis.connect().catch((error) => error.message);
  redis.disconnect();
  return { status: redis.status, failed };
};
