export const application = "storage";

export default async (t) => {
  const answers = await Promise.all([1, 2, 3].map((n) => t.ask("GET", `/block/blocked?n=${n}`)));
  t.note("values", answers.map((answer) => answer.json));
  const log = (await t.ask("GET", "/block/log")).json;
  const blocks = log.filter((line) => !line.startsWith("after")).map((line) => line.split(" ")[0]);
  t.note("one block at a time", blocks);
  await t.request("GET", "/block-throws/blockedThrows");
  await t.request("GET", "/block-throws/marked");
};
