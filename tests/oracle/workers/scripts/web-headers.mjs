export const application = "web";

/** A text as Node's client sends and gets it: one character for each byte. */
const bytes = (text) => Buffer.from(text).toString("latin1");

export default async (t) => {
  await t.request("GET", "/headers");
  await t.request("GET", "/echo", { headers: { "X-A": bytes("\u00e9"), "X-B": "\u00e9", "X-C": bytes("\u65e5\u672c"), "X-D": bytes("\u{1f600}") } });
  const { headers } = await t.request("GET", "/sent");
  t.note("what was sent", ["x-a", "x-b", "x-c"].map((name) => Buffer.from(headers[name], "latin1").toString()));
  await t.request("GET", "/fetched");
};
