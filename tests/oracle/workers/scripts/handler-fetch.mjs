export const application = "hello";

export default async (t) => {
  await t.request("GET", "/any/path?x=1");
  await t.request("POST", "/posted", { body: { a: 1 } });
  await t.request("DELETE", "/deleted");
  await t.request("GET", "/throw");
  await t.request("GET", "/nothing");
  await t.request("GET", "/after");
};
