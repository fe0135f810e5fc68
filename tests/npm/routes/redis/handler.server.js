import { createClient } from "redis";

export default async () => {
  const client = createClient({ url: `redis://127.0.0.1:${process.env.CLOSED_PORT}`, socket: { reconnectStrategy: false } });
  client.on("error", () => {});
  const failed = await client.connect().catch((error) => error.code ?? error.message);
  return { open: client.isOpen, failed };
};
