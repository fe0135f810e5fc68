export const application = "jwt";

export const scripts = {
  "tokens are made and checked": async (t) => {
    const { json } = await t.ask("GET", "/token/ada");
    t.note("token", [json.parts, json.decoded]);
    await t.get("/me", { authorization: `Bearer ${json.token}` });
    await t.get("/sync");
  },
  "tokens that are refused": async (t) => {
    await t.get("/me");
    await t.get("/me", { authorization: "Bearer nonsense" });
    await t.get("/me", { authorization: "Basic x" });
    const { json } = await t.ask("GET", "/token/eve");
    const [head, body] = json.token.split(".");
    await t.get("/me", { authorization: `Bearer ${head}.${body}.forged` });
  },
};
