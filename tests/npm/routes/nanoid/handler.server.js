import { customAlphabet, nanoid } from "nanoid";

export default () => {
  const ids = new Set(Array.from({ length: 100 }, () => nanoid()));
  return { different: ids.size, length: nanoid(10).length, digits: /^[01]{8}$/.test(customAlphabet("01", 8)()) };
};
