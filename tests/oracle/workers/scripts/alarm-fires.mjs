export const application = "alarms";

async function fired(t, object, count) {
  return t.until(async () => {
    const list = (await t.ask("GET", `/${object}/fired`)).json;
    return Array.isArray(list) && list.length >= count && list.map(({ at, waited, ...entry }) => entry);
  }, `${count} alarms of ${object}`);
}

export default async (t) => {
  await t.request("GET", "/once/soon?in=20");
  t.note("once", await fired(t, "once", 1));
  await t.request("GET", "/past/past");
  t.note("past", await fired(t, "past", 1));
  await t.request("GET", "/again/soon?in=5&again=2");
  t.note("again", await fired(t, "again", 3));
  await t.request("GET", "/once/none");
};
