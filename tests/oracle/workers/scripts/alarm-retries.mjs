export const application = "alarms";

// The handler fails twice: tried again after two seconds, and after four.
export default async (t) => {
  await t.request("GET", "/retries/soon?in=5&failures=2");
  const list = await t.until(async () => {
    const found = (await t.ask("GET", "/retries/fired")).json;
    return found.length === 3 && found;
  });
  t.note("counts", list.map(({ retryCount, isRetry, alarmInside }) => ({ retryCount, isRetry, alarmInside })));
  t.note("at least two and four seconds", [list[1].waited >= 1900, list[2].waited >= 3800]);
  await t.request("GET", "/retries/none");
};
