import async, { mapLimit } from "async";

export default async () => {
  const doubled = await mapLimit([1, 2, 3], 2, async (n) => n * 2);
  const order = [];
  const queue = async.queue((task, done) => {
    order.push(task);
    setImmediate(done);
  }, 1);
  queue.push(["a", "b", "c"]);
  await queue.drain();
  return { doubled, order, waterfall: await async.waterfall([(done) => done(null, 1), (n, done) => done(null, n + 1)]) };
};
