import pLimit from "p-limit";

export default async () => {
  const limit = pLimit(2);
  let running = 0, most = 0;
  const task = (n) => limit(async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    return n * 2;
  });
  return { results: await Promise.all([1, 2, 3, 4].map(task)), most };
};
