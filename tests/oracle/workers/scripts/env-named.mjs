export const application = "hello";
export const options = { environment: "production" };

export default async (t) => {
  await t.request("GET", "/env");
};
