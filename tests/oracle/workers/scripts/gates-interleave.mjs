export const application = "storage";

// Two requests that wait for one another: both are inside the object at once.
export default async (t) => {
  const first = t.ask("GET", "/interleave/interleave?n=1");
  await Promise.all([first, t.ask("GET", "/interleave/interleave?n=2")]);
  const log = (await t.ask("GET", "/interleave/log")).json;
  t.note("both began before one ended", log.slice(0, 2).every((line) => line.startsWith("begin")) && log.length === 4);
};
