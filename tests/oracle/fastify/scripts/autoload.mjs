export const application = "autoload";

const table = (...variants) => async (t) => {
  for (const variant of variants) await t.get(`/${variant}/-routes`);
};
const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(path);
};

export const scripts = {
  "folders are prefixes": table("plain"),
  "files of the tree answer": get("/plain", "/plain/users", "/plain/users/beside", "/plain/users/deep", "/plain/users/deep/deeper/deeper", "/plain/files/first", "/plain/cjs", "/plain/twice", "/plain/folder/with/only/end", "/plain/unloaded", "/plain/tests/test"),
  "prefixes and options that a file exports": get("/plain/own", "/plain/own/instead", "/plain/instead", "/plain/over/overridden", "/plain/override/overridden", "/plain/unprefixed", "/plain/unprefixed/unprefixed", "/plain/attached/by-property", "/plain/attached", "/plain/by-property", "/plain/config"),
  "parameters in names of folders": async (t) => {
    await table("params", "no-params")(t);
    await get("/params/7", "/params/7/posts/9", "/params/users/a-b", "/params/x/fixed/fixed", "/params/file")(t);
  },
  "hooks of folders": async (t) => {
    for (const variant of ["hooks", "cascade", "overwrite", "no-hooks"]) {
      for (const path of ["", "/a", "/a/b", "/a/b/c", "/other"]) await t.get(`/${variant}${path}`);
    }
    await t.get("/hook-pattern/x");
  },
  "prefixes by function or not at all": table("flat", "renamed"),
  "depth": table("shallow", "root-only"),
  "files that are ignored": table("ignored", "ignored-text", "filtered", "matched", "matched-text"),
  "names of index files and scripts": async (t) => {
    await table("index", "script")(t);
    await get("/index/main", "/index/index", "/index/sub", "/script/a", "/script/b")(t);
  },
  "encapsulation": get("/shared/second", "/separate/second"),
  "both kinds of modules": async (t) => {
    await table("mixed", "force")(t);
    await get("/mixed/a", "/mixed/b", "/mixed/c", "/mixed/d", "/mixed/e/from-fp", "/mixed/e/pre/from-fp", "/mixed/f")(t);
  },
  "a prefix for all, and prefixes that are appended": async (t) => {
    await table("prefixed", "appended")(t);
    await get("/prefixed/base/x", "/prefixed/base/y/own", "/prefixed/base/own")(t);
  },
  "plugins wait for those that they depend on": get("/ordered/order"),
  "options that are refused": get("/refused/absent", "/refused/depth"),
  "trees that are broken": get("/refused/broken/cycle", "/refused/broken/throws", "/refused/broken/number"),
};
