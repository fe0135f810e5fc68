export const application = "cookie";

export const scripts = {
  "cookies are set": async (t) => {
    await t.get("/set");
  },
  "cookies are read": async (t) => {
    const { headers } = await t.ask("GET", "/set");
    const signed = headers["set-cookie"].find((it) => it.startsWith("signed=")).split(";")[0];
    await t.get("/get", { cookie: `plain=a%20b; ${signed}` });
    await t.get("/get");
    await t.get("/get", { cookie: "signed=value.forged; bad; =; x" });
  },
};
