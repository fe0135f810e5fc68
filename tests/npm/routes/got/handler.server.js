import got from "got";

export default async () => {
  const client = got.extend({ prefixUrl: process.env.HTTP_SERVER, retry: { limit: 0 } });
  const echo = await client.post("echo", { json: { a: 1 }, searchParams: { q: 2 } }).json();
  const missing = await client.get("missing").catch((error) => `${error.code} ${error.response?.statusCode}`);
  let streamed = "";
  for await (const chunk of client.stream("chunks")) streamed += chunk;
  return { url: echo.url, body: echo.body, missing, streamed };
};
