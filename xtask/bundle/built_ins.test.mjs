import assert from "node:assert/strict";
import { test } from "node:test";
import { meaningOf, withPlainBuiltIns } from "./built_ins.mjs";

/** A module that imports every captured name in `code`, rewritten. */
function plain(code) {
  const names = [...new Set(code.match(/\b(?:[A-Z]\w*|globalThis)\b/g))].join(", ");
  return withPlainBuiltIns(`import { ${names} } from "../00_primordials.js";\n${code}`, "test.js").trim();
}

test("names mean what they name", () => {
  const meanings = {
    ArrayPrototypePush: { method: "push" },
    HeadersPrototypeGet: { method: "get" },
    ResponsePrototypeGetBodyUsed: { getter: "bodyUsed" },
    ArrayBufferIsView: { value: "ArrayBuffer.isView" },
    ObjectSetPrototypeOf: { value: "Object.setPrototypeOf" },
    ReflectGetPrototypeOf: { value: "Reflect.getPrototypeOf" },
    ObjectPrototype: { value: "Object.prototype" },
    SafeMap: { value: "Map" },
    SafeArrayIterator: { items: true },
    ArrayBuffer: null,
    URLSearchParams: null,
    Response: null,
    StringPrototypeOfMine: { method: "ofMine" },
  };
  for (const [name, meaning] of Object.entries(meanings)) assert.deepEqual(meaningOf(name), meaning, name);
});

test("built-ins are plain", () => {
  const pairs = [
    ["ArrayPrototypePush(list, StringPrototypeTrim(text))", "list.push(text.trim())"],
    ["ArrayPrototypePush(list ?? [], 1, 2)", "(list ?? []).push(1, 2)"],
    ["ArrayPrototypeJoin(ArrayPrototypeMap(list, (it) => StringPrototypeTrim(it)), '')", "list.map((it) => it.trim()).join('')"],
    ["const { 0: a, 1: b } = f();", "const [a,b] = f();"],
    ["const { 2: a, 0: { 1: b } } = f();", "const { 2: a, 0: [,b] } = f();"],
    ["const { 1: a, 4: { 0: b } } = f();", "const [,a,,,[b]] = f();"],
    ["for (const item of new SafeArrayIterator(f())) g(item);", "for (const item of f()) g(item);"],
    ["f(...new SafeArrayIterator(list));", "f(...list);"],
    ["new SafeMap()", "new Map()"],
    ["StringPrototypeReplace(text, new SafeRegExp(/a/g), '')", "text.replace(/a/g, '')"],
    ["new SafeRegExp(text, 'g')", "new RegExp(text, 'g')"],
    ["ResponsePrototypeGetStatus(await response)", "(await response).status"],
    ["new SafeMap(ObjectEntries(o))", "new Map(Object.entries(o))"],
    ["ArrayPrototypeMap(list, ObjectKeys)", "list.map(Object.keys)"],
    ["o[SymbolIterator]", "o[Symbol.iterator]"],
    ["globalThis.a = Error", "globalThis.a = Error"],
    ["o.ObjectKeys({ ObjectKeys: 1 })", "o.ObjectKeys({ ObjectKeys: 1 })"],
  ];
  for (const [code, expected] of pairs) assert.equal(plain(code), expected);
});

test("a method that overrides a built-in calls that, and not itself", () => {
  const pairs = [
    ["class A extends B { trim() { StringPrototypeTrim(this); } }", "class A extends B { trim() { super.trim(); } }"],
    ["class A extends B { push(a) { ArrayPrototypePush(this, a); } }", "class A extends B { push(a) { super.push(a); } }"],
    ["class A extends B { add(a) { ArrayPrototypePush(this, a); } }", "class A extends B { add(a) { this.push(a); } }"],
  ];
  for (const [code, expected] of pairs) assert.equal(plain(code), expected);
});

test("a function that is not called has no plain form", () => {
  assert.throws(() => plain("f(ArrayPrototypePush)"), /test\.js uses ArrayPrototypePush without calling it/);
});

test("code without captured built-ins stays as it is", () => {
  const code = "import { a } from './a.js';\nconst { 0: b } = ArrayPrototypePush(a);";
  assert.equal(withPlainBuiltIns(code, "test.js"), "import { a } from './a.js';\nconst [b] = ArrayPrototypePush(a);");
});
