import { decodeTime, monotonicFactory, ulid } from "ulid";

export default () => {
  const next = monotonicFactory();
  const ids = [next(1000), next(1000), next(1000)];
  return { length: ulid().length, time: decodeTime(ids[0]), sorted: ids.join() === [...ids].sort().join() };
};
