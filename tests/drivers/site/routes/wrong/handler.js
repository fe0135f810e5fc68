import { wrong } from "../driver.js";

export default async () => {
  const rows = await wrong();
  return rows;
};
