export const application = "storage";

export default async (t) => {
  await t.request("GET", "/bookmarks/bookmarks");
};
