import { camelCase, debounce, uniqBy } from "lodash-es";

export default async () => {
  let calls = 0;
  await new Promise((resolve) => {
    const later = debounce(() => resolve(++calls), 1);
    later();
    later();
  });
  return { calls, name: camelCase("a-b c"), unique: uniqBy([{ a: 1 }, { a: 1 }, { a: 2 }], "a") };
};
