import { add } from "../driver.js";

export default () => {
  add(1, 1).catch(() => {});
  return "not waited for";
};
