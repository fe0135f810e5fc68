export const application = "alarms";
export const alone = true;

export default async (t) => {
  await t.request("GET", "/killed/soon?in=1500");
  await t.restart({ kill: true });
  const list = await t.until(async () => {
    const found = (await t.ask("GET", "/killed/fired")).json;
    return found.length > 0 && found;
  });
  t.note("fired once, not early", list.map(({ early, retryCount }) => ({ early, retryCount })));
};
