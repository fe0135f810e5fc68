export const application = "static";

const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(path);
};

export const scripts = {
  "files": get("/public/", "/public/index.html", "/public/text.txt", "/public/sub/data.json", "/public/script.mjs", "/public/absent.txt", "/public/.hidden", "/public/sub", "/public"),
  "paths that leave the folder": get("/public/../app.mjs", "/public/%2e%2e/app.mjs", "/public/..%2fapp.mjs", "/public/%00"),
  "files that handlers send": get("/sent", "/downloaded", "/absent"),
  "lists": get("/listed/", "/listed/sub/data.json"),
  "parts and heads": async (t) => {
    await t.get("/public/text.txt", { range: "bytes=2-4" });
    await t.get("/public/text.txt", { range: "bytes=-2" });
    await t.get("/public/text.txt", { range: "bytes=90-" });
    await t.request("HEAD", "/public/text.txt");
    await t.request("POST", "/public/text.txt");
  },
};
