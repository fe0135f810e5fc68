export const application = "queues";

async function delivered(t, test, count) {
  return t.until(async () => {
    const found = (await t.ask("GET", `/log?test=${test}`)).json;
    return found.length >= count && found;
  });
}

export default async (t) => {
  for (const [path, test] of [["send", "types"], ["json", "json"], ["text", "text"], ["bytes", "bytes"], ["delayed", "delayed"]]) {
    await t.request("GET", `/${path}`);
    t.note(path, await delivered(t, test, 1));
  }
  await t.request("GET", "/batch");
  t.note("batch", await delivered(t, "batch", 3));
};
