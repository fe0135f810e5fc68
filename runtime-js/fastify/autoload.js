// `@fastify/autoload`: registers every file of a folder as a plugin, with the names of folders as prefixes.

import { core, primordials } from "ext:core/mod.js";
import { plugin } from "ext:liveline_fastify/plugin.js";

const {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeFind,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  ArrayPrototypeSort,
  Error,
  ObjectAssign,
  RegExp,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeMap,
  SafeRegExp,
  StringPrototypeIncludes,
  StringPrototypeReplace,
  StringPrototypeStartsWith,
  SymbolFor,
  TypeError,
} = primordials;

const SCRIPT = new SafeRegExp("(?:(?:^.?|\\.[^d]|[^.]d|[^.][^d])\\.ts|\\.js|\\.cjs|\\.mjs|\\.mts|\\.cts)$", "i");
const INDEX = new SafeRegExp("^index(?:\\.ts|\\.js|\\.cjs|\\.mjs|\\.mts|\\.cts)$", "i");
const AUTOHOOKS = new SafeRegExp("^[_.]?auto_?hooks(?:\\.ts|\\.js|\\.cjs|\\.mjs|\\.mts|\\.cts)$", "i");
const PARAMETERS = new SafeRegExp("/_", "g");
const MIXED = new SafeRegExp("__", "g");

/** Whether a filter of the options fits a path. */
function fits(filter, path) {
  if (filter instanceof RegExp) return RegExpPrototypeTest(filter, path);
  if (typeof filter === "string") return StringPrototypeIncludes(path, filter);
  if (typeof filter === "function") return filter(path);
  return false;
}

/** Loads a module of the project. */
async function load(file) {
  const { pathToFileURL } = core.createLazyLoader("node:url")();
  return await import(pathToFileURL(file).href);
}

/** A folder as a part of a prefix. */
function prefixOf(options, parent, name) {
  const { dirNameRoutePrefix, routeParams } = options;
  if (dirNameRoutePrefix === false) return "";
  let part = name;
  if (typeof dirNameRoutePrefix === "function") {
    part = dirNameRoutePrefix(parent, name);
    if (part === false) return "";
  }
  part = `/${part}`;
  if (!routeParams) return part;
  const isMixed = StringPrototypeStartsWith(part, "/__");
  return isMixed
    ? StringPrototypeReplace(StringPrototypeReplace(part, MIXED, ":"), "/_", "/:")
    : StringPrototypeReplace(part, PARAMETERS, "/:");
}

/** What is to be registered of a folder, with what lies below it. */
async function scan(fs, path, options, dir, prefix, depth, hooks) {
  const { autoHooks, autoHooksPattern, cascadeHooks, ignoreFilter, ignorePattern, indexPattern, matchFilter, maxDepth, overwriteHooks, scriptPattern } = options;
  const entries = await fs.promises.readdir(dir, { withFileTypes: true });
  ArrayPrototypeSort(entries, (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const isIgnored = (name) => ignorePattern !== undefined && RegExpPrototypeTest(ignorePattern, name);
  const group = { hooks: [], plugins: [], folders: [] };
  let inherited = hooks;
  if (autoHooks) {
    const found = ArrayPrototypeFind(entries, (it) => RegExpPrototypeTest(autoHooksPattern, it.name));
    if (found !== undefined) {
      const own = { file: path.resolve(dir, found.name) };
      inherited = cascadeHooks && !overwriteHooks ? [...new SafeArrayIterator(hooks), own] : [own];
    }
    group.hooks = inherited;
  }
  const below = cascadeHooks ? inherited : [];
  const index = ArrayPrototypeFind(entries, (it) => RegExpPrototypeTest(indexPattern, it.name) && !isIgnored(it.name));
  const add = (name) => {
    const file = path.resolve(dir, name);
    const relative = `/${path.relative(options.dir, file)}`;
    if (matchFilter !== undefined && !fits(matchFilter, relative)) return;
    if (ignoreFilter !== undefined && fits(ignoreFilter, relative)) return;
    ArrayPrototypePush(group.plugins, { file, prefix });
  };
  if (index !== undefined) add(index.name);
  for (const entry of new SafeArrayIterator(entries)) {
    const { name } = entry;
    if (isIgnored(name)) continue;
    let isFolder = entry.isDirectory(), isFile = entry.isFile();
    if (entry.isSymbolicLink()) {
      const stat = await fs.promises.stat(path.resolve(dir, name));
      isFolder = stat.isDirectory();
      isFile = stat.isFile();
    }
    if (isFolder) {
      if (maxDepth !== undefined && depth >= maxDepth) continue;
      const part = prefixOf(options, dir, name);
      ArrayPrototypePush(group.folders, await scan(fs, path, options, path.resolve(dir, name), prefix + part, depth + 1, below));
    } else if (index === undefined && isFile && RegExpPrototypeTest(scriptPattern, name)) {
      if (autoHooks && RegExpPrototypeTest(autoHooksPattern, name)) continue;
      if (RegExpPrototypeTest(AUTOHOOKS, name) && !autoHooks) continue;
      add(name);
    }
  }
  return group;
}

/** A module as a plugin; undefined if it is none. */
function pluginOf(content) {
  const isRoute = (value) => value !== null && typeof value === "object" && typeof value.url === "string" && value.method !== undefined;
  const routes = ArrayIsArray(content) ? content : [content];
  if (routes.length > 0 && !ArrayPrototypeSome(routes, (it) => !isRoute(it))) {
    return async (server) => {
      for (const route of new SafeArrayIterator(routes)) server.route(route);
    };
  }
  if (typeof content === "function") return content;
  return undefined;
}

/** Loads a file, and what it says about how it is registered. */
async function described(file, prefix, options, server) {
  const content = await load(file);
  // A CommonJS module exports a whole; one of TypeScript's has a default in it.
  const whole = content.default ?? content;
  const main = whole?.default ?? whole;
  const setting = (name) => main?.[name] ?? whole?.[name] ?? content[name];
  if (setting("autoload") === false) return null;
  const func = pluginOf(main);
  if (func === undefined) return null;
  const configured = setting("autoConfig");
  const config = typeof configured === "function" ? ObjectAssign({}, configured(server), configured.prefix === undefined ? {} : { prefix: configured.prefix }) : configured ?? {};
  const own = ObjectAssign({}, config, options.options);
  const { prefix: given } = own;
  const override = setting("prefixOverride"), auto = setting("autoPrefix");
  if (override !== undefined) own.prefix = override;
  else if (auto) own.prefix = (given ?? "") + (options.appendAutoPrefix ? prefix : "") + auto;
  else if (prefix) own.prefix = (given ?? "") + (StringPrototypeStartsWith(prefix, "/") ? prefix : `/${prefix}`);
  const meta = func[SymbolFor("plugin-meta")] ?? {};
  return { func, options: own, file, name: meta.name ?? file, dependencies: meta.dependencies ?? [], shares: setting("encapsulate") === false };
}

/** Plugins in the order of what they depend on. */
function ordered(plugins) {
  const byName = new SafeMap();
  for (const it of new SafeArrayIterator(plugins)) byName.set(it.name, it);
  const done = [], visiting = [];
  const visit = (it) => {
    if (ArrayPrototypeIncludes(done, it)) return;
    if (ArrayPrototypeIncludes(visiting, it)) throw new Error("Cyclic dependency");
    ArrayPrototypePush(visiting, it);
    for (const name of new SafeArrayIterator(it.dependencies)) {
      if (byName.has(name)) visit(byName.get(name));
    }
    primordials.ArrayPrototypePop(visiting);
    ArrayPrototypePush(done, it);
  };
  for (const it of new SafeArrayIterator(plugins)) visit(it);
  return done;
}

/** Registers what was found. Plugins of the same folder share its hooks. */
async function collect(group, options, server, into) {
  const own = [];
  for (const { file, prefix } of new SafeArrayIterator(group.plugins)) {
    const found = await described(file, prefix, options, server);
    if (found !== null) ArrayPrototypePush(own, found);
  }
  if (group.hooks.length === 0) {
    for (const it of new SafeArrayIterator(own)) ArrayPrototypePush(into, it);
  } else if (own.length > 0) {
    const hooks = [];
    for (const { file } of new SafeArrayIterator(group.hooks)) {
      const content = await load(file);
      const whole = content.default ?? content;
      ArrayPrototypePush(hooks, whole.default ?? whole);
    }
    ArrayPrototypePush(into, { hooks, plugins: own, name: group, dependencies: [] });
  }
  for (const folder of new SafeArrayIterator(group.folders)) await collect(folder, options, server, into);
}

export async function autoload(server, given) {
  const options = ObjectAssign({
    scriptPattern: SCRIPT,
    indexPattern: INDEX,
    autoHooksPattern: AUTOHOOKS,
    autoHooks: false,
    cascadeHooks: false,
    overwriteHooks: false,
    dirNameRoutePrefix: true,
    routeParams: false,
    encapsulate: true,
    appendAutoPrefix: false,
  }, given);
  const fs = core.createLazyLoader("node:fs")().default, path = core.createLazyLoader("node:path")().default;
  let { dir } = options;
  if (dir !== null && typeof dir === "object") dir = core.createLazyLoader("node:url")().fileURLToPath(dir);
  if (typeof dir !== "string") throw new TypeError("@fastify/autoload: the option dir is the folder to load");
  options.dir = dir;
  for (const name of new SafeArrayIterator(["autoHooksPattern", "ignorePattern", "indexPattern", "scriptPattern"])) {
    if (typeof options[name] === "string") options[name] = new RegExp(options[name]);
  }
  const entries = await scan(fs, path, options, dir, "", 0, []);
  const found = [];
  await collect(entries, options, server, found);
  const register = (target, it) => {
    const shares = options.encapsulate === false || it.shares;
    target.register(shares ? plugin(it.func, { name: it.func.name || undefined }) : it.func, it.options);
  };
  const alone = ArrayPrototypeFilter(found, (it) => it.hooks === undefined);
  for (const it of new SafeArrayIterator(ordered(alone))) register(server, it);
  for (const it of new SafeArrayIterator(ArrayPrototypeFilter(found, (one) => one.hooks !== undefined))) {
    server.register(async (scope) => {
      for (const hook of new SafeArrayIterator(it.hooks)) {
        scope.register(plugin(hook, { name: hook.name || undefined }), ObjectAssign({}, options.options));
      }
      for (const one of new SafeArrayIterator(ordered(it.plugins))) register(scope, one);
    });
  }
}

autoload[SymbolFor("skip-override")] = true;
autoload[SymbolFor("fastify.display-name")] = "@fastify/autoload";

