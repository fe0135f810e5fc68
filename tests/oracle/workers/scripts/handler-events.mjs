export const application = "handler";

// The client leaves an event stream: `cancel` and the request's signal report it.
export default async (t) => {
  const events = await t.stream("GET", "/events");
  for (let n = 0; n < 3; n += 1) await events.next();
  events.abort();
  const log = [];
  await t.until(async () => {
    log.push(...(await t.ask("GET", "/log")).json);
    return log.includes("cancelled") || log.includes("signal aborted");
  });
  t.note("cleaned up", true);
};
