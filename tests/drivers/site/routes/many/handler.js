import { add } from "../driver.js";

export default async () => {
  const sums = await Promise.all(Array.from({ length: 1000 }, (_, i) => add(i, 1)));
  return sums.every((sum, i) => sum === i + 1);
};
