import fetch, { FormData, Headers } from "node-fetch";

export default async () => {
  const response = await fetch(`${process.env.HTTP_SERVER}/echo`, { method: "POST", body: "x", headers: new Headers({ "x-test": "1" }) });
  const echo = await response.json();
  const form = new FormData();
  form.set("a", "1");
  const sent = await (await fetch(`${process.env.HTTP_SERVER}/echo`, { method: "POST", body: form })).json();
  let streamed = "";
  for await (const chunk of (await fetch(`${process.env.HTTP_SERVER}/chunks`)).body) streamed += chunk;
  return { status: response.status, body: echo.body, test: echo.headers["x-test"], form: sent.body.includes('name="a"'), streamed };
};
