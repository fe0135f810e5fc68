export const application = "alarms";

export default async (t) => {
  await t.request("GET", "/refused/refused");
};
