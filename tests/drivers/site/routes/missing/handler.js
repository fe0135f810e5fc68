import { missing } from "../driver.js";

export default async () => {
  const rows = await missing();
  return rows;
};
