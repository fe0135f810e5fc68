export const application = "storage";

// Twenty requests read, wait for storage, and write: none is lost.
export default async (t) => {
  await Promise.all(Array.from({ length: 20 }, () => t.ask("GET", "/gates-storage/increment")));
  await t.request("GET", "/gates-storage/count");
};
