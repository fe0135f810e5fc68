export const application = "listening";
// Only development has requests for the times of cron expressions.
export const options = { command: "dev" };

export default async (t) => {
  await t.request("GET", "/plain");
  await t.request("POST", "/plain");
  await t.request("GET", "/other");
  await t.request("GET", "/later");
  await t.until(async () => (await t.ask("GET", "/kv")).text === "value");
  await t.request("GET", "/twice");
  await t.request("GET", "/too-late");
  await t.until(async () => (await t.ask("GET", "/seen")).json.length === 1);
  await t.request("GET", "/throwing");
  await t.request("GET", "/rejected");
  await t.request("GET", "/nothing");
  await t.scheduled("* * * * *");
  await t.request("GET", "/seen");
};
