export const application = "assets-spa";

export default async (t) => {
  for (const path of ["/", "/any/route", "/sub/", "/sub", "/missing.js"]) await t.request("GET", path, { headers: { "sec-fetch-mode": "navigate" } });
  await t.request("GET", "/any/route", { as: "GET /any/route by a script" });
};
