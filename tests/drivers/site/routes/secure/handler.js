import { secure } from "../driver.js";

export default async () => {
  const rows = await secure();
  return rows;
};
