import { Agent, fetch, request } from "undici";

export default async () => {
  const agent = new Agent({ keepAliveTimeout: 10 });
  const { statusCode, headers, body } = await request(`${process.env.HTTP_SERVER}/echo`, {
    method: "POST",
    body: "by undici",
    headers: { "x-test": "1" },
    dispatcher: agent,
  });
  const echo = await body.json();
  const fetched = await fetch(`${process.env.HTTP_SERVER}/echo?b`, { dispatcher: agent });
  const url = (await fetched.json()).url;
  await agent.close();
  return { statusCode, type: headers["content-type"], body: echo.body, test: echo.headers["x-test"], url };
};
