export const application = "handler";

export default async (t) => {
  for (const path of ["throw", "reject", "number", "plain-object"]) await t.request("GET", `/${path}`);
  const broken = await t.stream("GET", "/broken");
  await broken.next("\n");
  await broken.next("\n");
  await t.request("GET", "/text");
};
