export const application = "helmet";

export const scripts = {
  "headers of safety": async (t) => {
    for (const path of ["/", "/without", "/other", "/fails", "/nowhere"]) await t.get(path);
  },
};
