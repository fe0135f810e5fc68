export const application = "assets";

export default async (t) => {
  for (const path of ["/api/hello", "/api/asset?path=/style.css", "/api/asset?path=/nothing", "/first/file.txt", "/first/not/file.txt", "/first/nothing", "/nothing", "/blog/nothing"]) await t.request("GET", path);
};
