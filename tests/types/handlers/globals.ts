// What is there without an import.

export default () => new LiveResponse(Observer.proxy({ a: 1 }), { done: false });

export const socket = (): Response => {
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  server.addEventListener("message", ({ data }) => server.send(data));
  // @ts-expect-error: a client's end is no status
  new Response(null, { status: client });
  return new Response(null, { status: 101, webSocket: client });
};

export const body: (live: LiveResponse<{ a: number }>) => number = (live) => live.body.a;
