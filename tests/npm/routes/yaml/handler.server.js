import { parse, parseDocument, stringify } from "yaml";

export default () => {
  const document = parseDocument("# kept\na: 1\nb: [x, &y {c: d}, *y]\n");
  document.set("e", true);
  return { parsed: parse("a: 1\nb:\n  - x\n"), text: stringify({ a: [1, { b: null }] }), edited: String(document) };
};
