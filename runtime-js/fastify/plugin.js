// `fastify-plugin`, and what plugins that were made with it ask of the instance that they are registered at.

import { primordials } from "ext:core/mod.js";
import { codes } from "ext:liveline_fastify/errors.js";

const {
  ArrayPrototypeFilter,
  ArrayPrototypeIncludes,
  ObjectAssign,
  ReflectHas,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeRegExp,
  StringPrototypeReplace,
  StringPrototypeSplit,
  StringPrototypeToUpperCase,
  StringPrototypeTrim,
  SymbolFor,
  TypeError,
} = primordials;

const META = SymbolFor("plugin-meta");
const NAME = SymbolFor("fastify.display-name");
const FILE = new SafeRegExp("at .*?([\\w$.-]+)\\.[cm]?[jt]sx?:\\d+:\\d+");

let unnamed = 0;

/** The file in which a plugin without a name is made, and a number. */
function automaticName(given) {
  if (given) return `${given}-auto-${unnamed++}`;
  const holder = {};
  primordials.ErrorCaptureStackTrace(holder, plugin);
  const found = RegExpPrototypeExec(FILE, holder.stack);
  return `${found === null ? "anonymous" : found[1]}-auto-${unnamed++}`;
}

/** Makes a plugin that shares its decorators and hooks with the instance that it is registered at. */
export function plugin(func, options = {}) {
  if (func?.default !== undefined && typeof func !== "function") func = func.default;
  if (typeof func !== "function") throw new TypeError(`fastify-plugin expects a function, instead got a '${typeof func}'`);
  if (typeof options === "string") options = { fastify: options };
  if (options === null || typeof options !== "object" || primordials.ArrayIsArray(options)) {
    throw new TypeError("The options object should be an object");
  }
  if (options.fastify !== undefined && typeof options.fastify !== "string") {
    throw new TypeError(`fastify-plugin expects a version string, instead got '${typeof options.fastify}'`);
  }
  const meta = ObjectAssign({}, options);
  if (!meta.name) meta.name = automaticName(func.name);
  func[SymbolFor("skip-override")] = meta.encapsulate !== true;
  func[NAME] = meta.name;
  func[META] = meta;
  if (func.default === undefined) func.default = func;
  const camel = StringPrototypeReplace(StringPrototypeReplace(meta.name, "@", ""), CAMEL, (_, letter) => StringPrototypeToUpperCase(letter));
  if (func[camel] === undefined && camel !== "name" && camel !== "length" && camel !== "prototype") func[camel] = func;
  return func;
}
const CAMEL = new SafeRegExp("[-/](.)", "g");

/** Versions of Fastify that a plugin accepts, as far as major versions and comparisons go. */
export function accepts(range, version) {
  const own = primordials.ArrayPrototypeMap(StringPrototypeSplit(version, "."), (part) => +part);
  const alternatives = StringPrototypeSplit(range, "||");
  return primordials.ArrayPrototypeSome(alternatives, (alternative) => {
    const words = ArrayPrototypeFilter(StringPrototypeSplit(StringPrototypeTrim(StringPrototypeReplace(alternative, SPACED, "$1")), " "), (word) => word !== "");
    const dash = primordials.ArrayPrototypeIndexOf(words, "-");
    if (dash > 0) return fits(`>=${words[dash - 1]}`, own) && fits(`<=${words[dash + 1]}`, own);
    return !primordials.ArrayPrototypeSome(words, (word) => !fits(word, own));
  });
}
const SPACED = new SafeRegExp("([<>=^~])\\s+", "g");
const TERM = new SafeRegExp("^(>=|<=|>|<|=|\\^|~)?v?(\\d+|x|X|\\*)(?:\\.(\\d+|x|X|\\*))?(?:\\.(\\d+|x|X|\\*))?(?:-[\\w.]+)?$");

function fits(term, own) {
  const match = RegExpPrototypeExec(TERM, term);
  if (match === null) return term === "" || term === "latest";
  const given = [];
  for (let i = 2; i < 5; i++) {
    const part = match[i];
    given[i - 2] = part === undefined || part === "x" || part === "X" || part === "*" ? null : +part;
  }
  if (given[0] === null) return true;
  const compare = () => {
    for (let i = 0; i < 3; i++) {
      if (given[i] === null) return 0;
      if (own[i] !== given[i]) return own[i] < given[i] ? -1 : 1;
    }
    return 0;
  };
  switch (match[1]) {
    case ">=":
      return compare() >= 0;
    case "<=":
      return compare() <= 0;
    case ">":
      return compare() > 0;
    case "<":
      return compare() < 0;
    case "^":
      return compare() >= 0 && own[0] === given[0] && (given[0] !== 0 || own[1] === given[1]);
    case "~":
      return compare() >= 0 && own[0] === given[0] && (given[1] === null || own[1] === given[1]);
    default:
      return compare() === 0;
  }
}

const HOST_VERSION = "5.12.8";

/** Fails if a plugin needs what the instance does not have. */
export function checkPlugin(server, func, state) {
  const meta = func[META];
  if (meta === undefined || meta === null) return;
  const { decorators, dependencies, fastify: version, name } = meta;
  if (decorators) {
    checkDecorators(server, "Fastify", decorators.fastify, name);
    checkDecorators(state.Reply.prototype, "Reply", decorators.reply, name);
    checkDecorators(state.Request.prototype, "Request", decorators.request, name);
  }
  for (const dependency of new SafeArrayIterator(dependencies ?? [])) {
    if (!ArrayPrototypeIncludes(state.plugins, dependency)) throw new codes.FST_ERR_PLUGIN_DEPENDENCY_NOT_REGISTERED(dependency, name);
  }
  if (version && !accepts(version, HOST_VERSION)) throw new codes.FST_ERR_PLUGIN_VERSION_MISMATCH(name, version, HOST_VERSION);
}

function checkDecorators(target, kind, names, plugin) {
  for (const name of new SafeArrayIterator(names ?? [])) {
    if (!ReflectHas(target, name)) {
      throw new codes.FST_ERR_PLUGIN_NOT_PRESENT_IN_INSTANCE(name, plugin ? ` required by '${plugin}'` : "", kind);
    }
  }
}


