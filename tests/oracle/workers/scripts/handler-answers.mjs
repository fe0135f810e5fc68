export const application = "handler";

export default async (t) => {
  for (const path of ["cookies", "teapot", "empty", "not-modified", "bytes", "text", "form", "blob", "redirect", "hop", "pieces"]) await t.request("GET", `/${path}`);
  await t.request("HEAD", "/teapot");
  await t.request("POST", "/request?a=1&b=2", { headers: { "x-sent": "v" }, body: "text" });
  await t.request("GET", "/request");
  await t.request("OPTIONS", "/text");
};
