export const application = "formbody";

const type = { "content-type": "application/x-www-form-urlencoded" };

export const scripts = {
  "forms": async (t) => {
    for (const body of ["a=1&b=2", "a=1&a=2", "a=%20x+y&empty=", "", "\u{e4}=1"]) await t.request("POST", "/", { headers: type, body });
    await t.request("POST", "/", { headers: type, body: "x".repeat(65) });
    await t.request("POST", "/schema", { headers: type, body: "n=7" });
    await t.request("POST", "/schema", { headers: type, body: "n=x" });
  },
};
