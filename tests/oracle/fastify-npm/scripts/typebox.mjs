export const application = "typebox";

const json = { "content-type": "application/json" };

export const scripts = {
  "schemas made by TypeBox": async (t) => {
    for (const body of ['{"name":"ada","age":3}', '{"name":"a"}', '{"name":"ada","age":-1}', "{}"]) await t.request("POST", "/", { headers: json, body });
  },
  "its own validator": async (t) => {
    for (const path of ["/own?n=1.5", "/own?n=x", "/own"]) await t.get(path);
  },
};
