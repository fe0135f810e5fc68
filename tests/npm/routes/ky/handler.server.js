import ky from "ky";

export default async () => {
  const api = ky.create({ prefixUrl: process.env.HTTP_SERVER, retry: 0 });
  const echo = await api.post("echo", { json: { a: 1 }, searchParams: { q: 2 } }).json();
  const missing = await api.get("missing").catch((error) => `${error.name} ${error.response.status}`);
  return { url: echo.url, body: echo.body, missing };
};
