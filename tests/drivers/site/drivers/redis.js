import { createClient } from "redis";

const url = process.env.REDIS_URL;
const client = createClient({ url, socket: { reconnectStrategy: () => 50 } });
// Without a listener, a lost connection would be an uncaught error.
client.on("error", () => {});

/** The client, connected: commands wait for the connection. */
async function connected() {
  if (!client.isOpen) await client.connect();
  return client;
}

export async function add(a, b) {
  const client = await connected();
  const key = `sum ${a} ${b}`;
  const [, sum] = await client.multi().set(key, String(a)).incrBy(key, b).exec();
  return sum;
}

export async function insert(name, fails) {
  const client = await connected();
  const transaction = client.multi().rPush("names", name);
  if (fails) transaction.addCommand(["NOSUCH"]);
  await transaction.exec();
}

export async function names() {
  const client = await connected();
  return (await client.lRange("names", 0, -1)).sort();
}

export async function text(length) {
  const client = await connected();
  await client.set("text", "0123456789".repeat(length / 10));
  return await client.get("text");
}

export async function follow(listener) {
  const subscriber = client.duplicate();
  subscriber.on("error", () => {});
  await subscriber.connect();
  await subscriber.subscribe("news", listener);
}

async function once(url) {
  const client = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 300 } });
  client.on("error", () => {});
  await client.connect();
}

export const wrong = () => once(process.env.WRONG_REDIS_URL);
export const missing = () => once("redis://127.0.0.1:1");
export const secure = () => once(url.replace("redis:", "rediss:"));

/** Clients of Redis have one connection, which stays open. */
export function release() {}
