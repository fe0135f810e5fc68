import { Redis } from "ioredis";

const url = process.env.REDIS_URL;
const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 });
// Without a listener, ioredis prints each lost connection.
client.on("error", () => {});

export async function add(a, b) {
  const key = `sum ${a} ${b}`;
  const [, [, sum]] = await client.multi().set(key, a).incrby(key, b).exec();
  return sum;
}

export async function insert(name, fails) {
  const transaction = client.multi().rpush("names", name);
  if (fails) transaction.call("NOSUCH");
  await transaction.exec();
}

export async function names() {
  return (await client.lrange("names", 0, -1)).sort();
}

export async function text(length) {
  await client.set("text", "0123456789".repeat(length / 10));
  return await client.get("text");
}

export async function follow(listener) {
  const subscriber = client.duplicate();
  subscriber.on("error", () => {});
  subscriber.on("message", (channel, message) => listener(message));
  await subscriber.subscribe("news");
}

async function once(url) {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: 300 });
  client.on("error", () => {});
  await client.ping();
}

export const wrong = () => once(process.env.WRONG_REDIS_URL);
export const missing = () => once("redis://127.0.0.1:1");
export const secure = () => once(url.replace("redis:", "rediss:"));

/** Clients of Redis have one connection, which stays open. */
export function release() {}
