export const application = "handler";

export default async (t) => {
  await t.request("GET", "/waiting");
  t.note("log", await t.until(async () => {
    const log = (await t.ask("GET", "/log")).json;
    return log.includes("waited") && log;
  }));
  await t.request("GET", "/text");
};
