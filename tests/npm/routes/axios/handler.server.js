import axios from "axios";

export default async () => {
  const client = axios.create({ baseURL: process.env.HTTP_SERVER, timeout: 5000, headers: { "X-Test": "1" } });
  const { data, status } = await client.post("/echo", { a: 1 }, { params: { q: 2 } });
  const missing = await client.get("/missing").catch((error) => `${error.code} ${error.response?.status}`);
  const stream = await client.get("/chunks", { responseType: "stream" });
  let text = "";
  for await (const chunk of stream.data) text += chunk;
  return { status, url: data.url, body: data.body, test: data.headers["x-test"], missing, text };
};
