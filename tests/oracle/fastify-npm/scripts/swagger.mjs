export const application = "swagger";

export const scripts = {
  "the description of all routes": async (t) => {
    await t.get("/openapi.json");
    await t.get("/openapi.yaml");
    await t.get("/products/7?page=1");
    await t.get("/products/7?page=x");
  },
};
