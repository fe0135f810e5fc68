export const application = "streams";

const logged = async (t, word) => {
  await t.until(async () => (await t.ask("GET", "/log")).text.includes(word), `${word} in the log`);
  t.note("logged", word);
};
const halves = (name, mark) => async (t) => {
  const stream = await t.stream("GET", `/${name}`);
  await stream.next(mark);
  await t.request("POST", `/go/${name}`);
  await stream.next(mark);
  await stream.next(mark);
};

export const scripts = {
  "events through the raw reply": async (t) => {
    await halves("raw-events", "\n\n")(t);
    await logged(t, "raw-events: finished");
    await logged(t, "raw-events: request closed");
  },
  "events through a stream": halves("events", "\n\n"),
  "lines of a generator": async (t) => {
    await halves("generator", "\n")(t);
    await logged(t, "generator: ended");
  },
  "a client leaves a stream": async (t) => {
    const stream = await t.stream("GET", "/left");
    await stream.next("\n");
    stream.abort();
    await logged(t, "left: stream closed, destroyed true");
  },
  "a client leaves a raw reply": async (t) => {
    const stream = await t.stream("GET", "/left-raw");
    await stream.next("\n");
    stream.abort();
    await logged(t, "left-raw: closed, ended false");
  },
  "a client leaves before there is an answer": async (t) => {
    const { hostname, port } = new URL(t.origin);
    const { connect } = await import("node:net");
    const client = connect(Number(port), hostname);
    client.on("error", () => {});
    client.write("GET /aborted HTTP/1.1\r\nHost: x\r\n\r\n");
    await logged(t, "aborted: handler");
    client.destroy();
    await logged(t, "onRequestAbort /aborted");
    await t.request("POST", "/go/aborted");
  },
  "a stream fails in the middle": async (t) => {
    const stream = await t.stream("GET", "/fails-later");
    await stream.next("\n");
    await t.request("POST", "/go/fails-later");
    await stream.next("\n");
  },
  "large bodies up and down": async (t) => {
    const type = { "content-type": "application/octet-stream" };
    await t.request("POST", "/count", { headers: type, body: `${"x".repeat(500_000)}the end` });
    await t.request("POST", "/count", { headers: type, body: `${"x".repeat(500_000)}the end`, chunked: true });
    await t.request("POST", "/mirror", { headers: type, body: "y".repeat(300_000), brief: true });
    await t.request("GET", "/large", { brief: true });
  },
};
