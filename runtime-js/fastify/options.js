// The options of an application: what is wrong with them, and what they mean.

import { core, primordials } from "ext:core/mod.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { missingMethods } from "ext:liveline_fastify/logger.js";

const {
  ArrayIsArray,
  ArrayPrototypeMap,
  ObjectFreeze,
  SafeArrayIterator,
  StringPrototypeSplit,
} = primordials;

/** Which proxies are trusted: called with an address. */
export function trustOf(option) {
  if (option === undefined || option === false) return null;
  if (option === true) return () => true;
  if (typeof option === "function") return option;
  // A number of hops does not say who the nearest one is: a client could name as many as it likes.
  if (typeof option === "number") return () => false;
  const list = ArrayIsArray(option) ? option : ArrayPrototypeMap(StringPrototypeSplit(option, ","), (part) => primordials.StringPrototypeTrim(part));
  const { BlockList, isIPv6 } = core.createLazyLoader("node:net")().default;
  const block = new BlockList();
  const named = {
    __proto__: null,
    loopback: ["127.0.0.1/8", "::1/128"],
    linklocal: ["169.254.0.0/16", "fe80::/10"],
    uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
  };
  for (const entry of new SafeArrayIterator(list)) {
    for (const range of new SafeArrayIterator(named[entry] ?? [entry])) {
      const { 0: address, 1: bits } = StringPrototypeSplit(range, "/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (bits === undefined) block.addAddress(address, family);
      else block.addSubnet(address, +bits, family);
    }
  }
  return (address) => block.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/** Fails if an option is none. */
export function checkOptions(options) {
  if (options === null || typeof options !== "object") throw new codes.FST_ERR_OPTIONS_NOT_OBJ();
  const { querystringParser, ajv, bodyLimit, logger, loggerInstance } = options;
  if (querystringParser !== undefined && typeof querystringParser !== "function") throw new codes.FST_ERR_QSP_NOT_FN(typeof querystringParser);
  if (bodyLimit !== undefined && !primordials.NumberIsInteger(bodyLimit)) {
    throw new codes.FST_ERR_INIT_OPTS_INVALID(`[{"instancePath":"/bodyLimit","message":"must be integer"}]`);
  }
  if (ajv?.customOptions !== undefined && (ajv.customOptions === null || typeof ajv.customOptions !== "object" || ArrayIsArray(ajv.customOptions))) {
    throw new codes.FST_ERR_AJV_CUSTOM_OPTIONS_OPT_NOT_OBJ(typeof ajv.customOptions);
  }
  if (ajv?.plugins !== undefined && !ArrayIsArray(ajv.plugins)) throw new codes.FST_ERR_AJV_CUSTOM_OPTIONS_OPT_NOT_ARR(typeof ajv.plugins);
  if (logger && loggerInstance) throw new codes.FST_ERR_LOG_LOGGER_AND_LOGGER_INSTANCE_PROVIDED();
  if (logger && typeof logger !== "boolean" && typeof logger.info === "function") throw new codes.FST_ERR_LOG_INVALID_LOGGER_CONFIG();
  if (loggerInstance) {
    const missing = missingMethods(loggerInstance);
    if (missing.length > 0) throw new codes.FST_ERR_LOG_INVALID_LOGGER_INSTANCE();
  }
}

/** What `initialConfig` of an instance shows. */
export function initialConfigOf(options) {
  return ObjectFreeze({
    bodyLimit: options.bodyLimit,
    caseSensitive: options.caseSensitive !== false,
    connectionTimeout: options.connectionTimeout ?? 0,
    disableRequestLogging: options.disableRequestLogging ?? false,
    exposeHeadRoutes: options.exposeHeadRoutes,
    handlerTimeout: options.handlerTimeout ?? 0,
    ignoreDuplicateSlashes: options.ignoreDuplicateSlashes ?? false,
    ignoreTrailingSlash: options.ignoreTrailingSlash ?? false,
    keepAliveTimeout: options.keepAliveTimeout ?? 72_000,
    maxParamLength: options.maxParamLength ?? 100,
    maxRequestsPerSocket: options.maxRequestsPerSocket ?? 0,
    onConstructorPoisoning: options.onConstructorPoisoning ?? "error",
    onProtoPoisoning: options.onProtoPoisoning ?? "error",
    pluginTimeout: options.pluginTimeout,
    requestIdHeader: options.requestIdHeader,
    requestIdLogLabel: options.requestIdLogLabel,
    requestTimeout: options.requestTimeout ?? 0,
    useSemicolonDelimiter: options.useSemicolonDelimiter ?? false,
  });
}
