import Bluebird from "bluebird";

export default async () => {
  const read = Bluebird.promisify((value, callback) => setTimeout(callback, 1, null, value));
  return {
    mapped: await Bluebird.map([1, 2, 3], (n) => Bluebird.delay(1).return(n * 2), { concurrency: 2 }),
    read: await read("value"),
    timeout: await Bluebird.delay(1000).timeout(1).catch(Bluebird.TimeoutError, (error) => error.name),
  };
};
