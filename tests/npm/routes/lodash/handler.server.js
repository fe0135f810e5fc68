import _ from "lodash";
import chunk from "lodash/chunk.js";

export default () => ({
  groups: _.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even")),
  merged: _.merge({ a: { b: 1 } }, { a: { c: 2 } }),
  chain: _.chain([3, 1, 2]).sortBy().reverse().value(),
  chunk: chunk([1, 2, 3], 2),
  template: _.template("Hello <%= name %>")({ name: "you" }),
});
