export const application = "queues";

export default async (t) => {
  await t.request("GET", "/retried");
  await t.request("GET", "/dead");
  const log = (test, count) => t.until(async () => {
    const found = (await t.ask("GET", `/log?test=${test}`)).json;
    return found.length >= count && found;
  });
  t.note("retried", (await log("retried", 3)).map(({ attempts, queue }) => ({ attempts, queue })));
  t.note("dead", (await log("dead", 4)).map(({ attempts, queue }) => ({ attempts, queue })));
};
