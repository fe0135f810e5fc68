import { produce } from "immer";

export default () => {
  const before = { list: [{ done: false }], other: {} };
  const after = produce(before, (draft) => {
    draft.list[0].done = true;
    draft.list.push({ done: false });
  });
  return { before, after, shared: before.other === after.other, frozen: Object.isFrozen(after) };
};
