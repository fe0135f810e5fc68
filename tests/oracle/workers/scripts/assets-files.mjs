export const application = "assets";

export default async (t) => {
  for (const path of ["/", "/index.html", "/about", "/about.html", "/about/", "/docs", "/docs/", "/docs/index.html", "/style.css", "/app.js", "/data.json", "/plain.txt", "/image.svg", "/no-extension", "/with%20space.txt", "/_headers", "/_redirects", "/wrangler.jsonc", "//about"]) await t.request("GET", path);
  await t.request("HEAD", "/plain.txt");
  await t.request("POST", "/plain.txt", { body: "x" });
};
