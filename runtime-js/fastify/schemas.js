// Schemas: what validates requests and serializes answers. That is ajv and fast-json-stringify: those of the project
// where it has them, else the copies that the host carries.

import { core, primordials } from "ext:core/mod.js";
import { op_application_file } from "ext:core/ops";
import { codes } from "ext:liveline_fastify/errors.js";
import { isThenable } from "ext:liveline_fastify/queue.js";

const {
  ArrayIsArray,
  ArrayPrototypePush,
  Error,
  ObjectAssign,
  ObjectEntries,
  ObjectKeys,
  ObjectValues,
  PromisePrototypeThen,
  SafeArrayIterator,
  SafeWeakMap,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  SymbolFor,
} = primordials;

/** Where the validator and the serializer come from. */
let libraries = null;

/**
 * The libraries, loaded when the first schema is compiled.
 * @returns {{ Ajv: Function, addFormats: Function, fastJsonStringify: Function }}
 */
function load() {
  if (libraries !== null) return libraries;
  const carried = core.createLazyLoader("ext:liveline_fastify/validators.js")();
  const own = { Ajv: carried.Ajv, addFormats: carried.addFormats, fastJsonStringify: carried.fastJsonStringify };
  const from = op_application_file();
  if (from !== "") {
    const require = core.createLazyLoader("node:module")().createRequire(from);
    const installed = (name) => {
      try {
        const loaded = require(name);
        return loaded.default ?? loaded;
      } catch {
        return undefined;
      }
    };
    const ajv = installed("ajv"), formats = installed("ajv-formats");
    // Formats belong to the validator that they were made for.
    if (ajv !== undefined && isNewEnough(require)) {
      own.Ajv = ajv;
      if (formats !== undefined) own.addFormats = formats;
    }
    own.fastJsonStringify = installed("fast-json-stringify") ?? own.fastJsonStringify;
  }
  if (own.Ajv === undefined || own.fastJsonStringify === undefined) {
    throw new Error("Schemas need ajv and fast-json-stringify, which this build of liveline does not contain: run "
      + "`npm install ajv ajv-formats fast-json-stringify`, or build liveline by `cargo xtask` where npm is installed.");
  }
  return libraries = own;
}

/** Whether the installed ajv has the API that Fastify 5 uses. */
function isNewEnough(require) {
  try {
    return +StringPrototypeSplit(require("ajv/package.json").version, ".")[0] >= 8;
  } catch {
    return false;
  }
}

const AJV = { coerceTypes: "array", useDefaults: true, removeAdditional: true, allErrors: false };

/** The shared schemas of an instance. */
export class Bucket {
  #store = {};

  constructor(inherited = {}) {
    this.#store = ObjectAssign({}, inherited);
  }

  add(schema) {
    const id = schema?.$id;
    if (!id) throw new codes.FST_ERR_SCH_MISSING_ID();
    if (this.#store[id]) throw new codes.FST_ERR_SCH_ALREADY_PRESENT(id);
    this.#store[id] = schema;
  }

  get(id) {
    return this.#store[id];
  }

  all() {
    return ObjectAssign({}, this.#store);
  }
}

/** Ajv's instances and serializers of one application, by the schemas that they share. */
export class Compilers {
  #ajvs = new SafeWeakMap();

  constructor(options) {
    this.options = options.ajv ?? {};
    this.serializerOptions = options.serializerOpts;
  }

  #ajv(bucket) {
    let known = this.#ajvs.get(bucket);
    const shared = ObjectValues(bucket.all());
    if (known !== undefined && known.count === shared.length) return known.ajv;
    const { Ajv, addFormats } = load();
    const ajv = new Ajv(ObjectAssign({}, AJV, this.options.customOptions));
    if (this.options.customOptions?.formats === undefined || true) addFormats(ajv);
    for (const plugin of new SafeArrayIterator(this.options.plugins ?? [])) {
      if (ArrayIsArray(plugin)) plugin[0](ajv, plugin[1]);
      else plugin(ajv);
    }
    this.options.onCreate?.(ajv);
    for (const schema of new SafeArrayIterator(shared)) ajv.addSchema(schema, schema.$id);
    known = { ajv, count: shared.length };
    this.#ajvs.set(bucket, known);
    return ajv;
  }

  validator(bucket) {
    return ({ schema }) => this.#ajv(bucket).compile(schema);
  }

  serializer(bucket) {
    return ({ schema }) => {
      const external = bucket.all();
      const { fastJsonStringify } = load();
      return fastJsonStringify(schema, ObjectAssign({}, this.serializerOptions, { schema: external }));
    };
  }
}

/** A schema as data, where it is an object of fluent-json-schema. */
export function plainSchema(schema) {
  const isFluent = schema?.isFluentSchema || schema?.isFluentJSONSchema || schema?.[SymbolFor("fluent-schema-object")];
  return isFluent ? schema.valueOf() : schema;
}

/** The schema of a route with what its author may leave out: the type and the braces around properties. */
export function completeSchema(schema) {
  if (schema === undefined || schema === null) return schema;
  const whole = ObjectAssign({}, plainSchema(schema));
  for (const name of new SafeArrayIterator(["body", "headers", "params", "query", "querystring"])) {
    if (whole[name] !== undefined) whole[name] = plainSchema(whole[name]);
  }
  if (whole.response !== null && typeof whole.response === "object") {
    whole.response = ObjectAssign({}, plainSchema(whole.response));
    for (const status of new SafeArrayIterator(ObjectKeys(whole.response))) {
      whole.response[status] = plainSchema(whole.response[status]);
    }
  }
  const { query, querystring } = whole;
  if (query !== undefined && querystring !== undefined) throw new codes.FST_ERR_SCH_DUPLICATE("querystring");
  if (query !== undefined) whole.querystring = query;
  return whole;
}

/** Compiles the schemas of a route into its context. */
export function compileSchemas(context, method, url) {
  const { schema, validatorCompiler, serializerCompiler } = context;
  if (schema === undefined || schema === null) return;
  const build = (part, partSchema, code, compile) => {
    try {
      return compile();
    } catch (error) {
      throw new code(method, url, error.message);
    }
  };
  const { body } = schema;
  for (const name of new SafeArrayIterator(["headers", "params", "querystring"])) {
    if (schema[name] === undefined || schema[name] === null) continue;
    // Names of headers are lower-case in a request.
    const partSchema = name === "headers" ? lowered(schema[name]) : schema[name];
    context.validators[name] = build(name, partSchema, codes.FST_ERR_SCH_VALIDATION_BUILD, () =>
      validatorCompiler({ schema: partSchema, method, url, httpPart: name }));
  }
  if (body !== undefined && body !== null) {
    if (body.content !== undefined && typeof body.content === "object") {
      const byType = { __proto__: null };
      for (const { 0: type, 1: value } of new SafeArrayIterator(ObjectEntries(body.content))) {
        if (value?.schema === undefined) throw new codes.FST_ERR_SCH_CONTENT_MISSING_SCHEMA(type);
        byType[type] = build("body", value.schema, codes.FST_ERR_SCH_VALIDATION_BUILD, () =>
          validatorCompiler({ schema: value.schema, method, url, httpPart: "body", contentType: type }));
      }
      context.validators.body = byType;
    } else {
      context.validators.body = build("body", body, codes.FST_ERR_SCH_VALIDATION_BUILD, () =>
        validatorCompiler({ schema: body, method, url, httpPart: "body" }));
    }
  }
  if (schema.response === undefined || schema.response === null) return;
  context.serializers = { __proto__: null };
  for (const { 0: status, 1: value } of new SafeArrayIterator(ObjectEntries(schema.response))) {
    const key = StringPrototypeToLowerCase(status);
    if (!primordials.RegExpPrototypeTest(STATUS, key)) {
      const { message } = new codes.FST_ERR_SCH_RESPONSE_SCHEMA_NOT_NESTED_2XX();
      throw new codes.FST_ERR_SCH_SERIALIZATION_BUILD(method, url, message);
    }
    const compile = (one, contentType) => build("response", one, codes.FST_ERR_SCH_SERIALIZATION_BUILD, () =>
      serializerCompiler({ schema: one, method, url, httpStatus: key, contentType }));
    if (value?.content !== undefined && typeof value.content === "object") {
      const byType = { __proto__: null };
      for (const { 0: type, 1: one } of new SafeArrayIterator(ObjectEntries(value.content))) {
        if (one?.schema === undefined) throw new codes.FST_ERR_SCH_CONTENT_MISSING_SCHEMA(type);
        byType[type] = compile(one.schema, type);
      }
      context.serializers[key] = byType;
    } else {
      context.serializers[key] = compile(value);
    }
  }
}

const STATUS = new primordials.SafeRegExp("^(?:[1-5](?:\\d\\d|xx)|default)$");

function lowered(schema) {
  if (schema.properties === undefined || primordials.ObjectGetPrototypeOf(schema) !== primordials.ObjectPrototype) return schema;
  const properties = {};
  for (const key of new SafeArrayIterator(ObjectKeys(schema.properties))) {
    properties[StringPrototypeToLowerCase(key)] = schema.properties[key];
  }
  const required = ArrayIsArray(schema.required)
    ? primordials.ArrayPrototypeMap(schema.required, (name) => StringPrototypeToLowerCase(name))
    : schema.required;
  return ObjectAssign({}, schema, { properties }, required === undefined ? {} : { required });
}

/** The serializer for an answer, if its schema names one. */
export function serializerFor(context, status, type) {
  const { serializers } = context;
  if (serializers === null) return undefined;
  const found = serializers[status] ?? serializers[`${status}`[0] + "xx"] ?? serializers.default;
  if (found === undefined || typeof found === "function") return found;
  const bare = type === undefined ? "application/json" : bareType(type);
  return found[bare] ?? found["*/*"];
}

function bareType(type) {
  const end = StringPrototypeIndexOf(type, ";");
  return StringPrototypeToLowerCase(StringPrototypeTrim(end === -1 ? type : StringPrototypeSlice(type, 0, end)));
}

/**
 * Validates a request. `end` gets the error, or false if everything is valid.
 */
export function validate(context, request, end) {
  const { validators } = context;
  if (validators.params !== undefined) return part(context, request, ["params", "body", "querystring", "headers"], 0, end);
  part(context, request, ["params", "body", "querystring", "headers"], 0, end);
}

function part(context, request, names, index, end) {
  for (let i = index; i < names.length; i++) {
    const name = names[i];
    let check = context.validators[name];
    if (check === undefined) continue;
    if (name === "body" && typeof check !== "function") {
      const type = request.header("content-type");
      check = type === undefined ? undefined : check[bareType(type)];
      if (check === undefined) continue;
    }
    const value = name === "querystring" ? request.query : request[name];
    let result;
    try {
      // A body that was not sent is null for schemas, which may allow that.
      result = check(value === undefined ? null : value);
    } catch (error) {
      error.statusCode ??= 500;
      return end(error);
    }
    if (isThenable(result)) {
      PromisePrototypeThen(primordials.PromiseResolve(result), (given) => {
        const failure = outcome(check, given, name, request, context);
        if (failure) end(failure);
        else part(context, request, names, i + 1, end);
      }, (error) => end(failed(error, name, context)));
      return;
    }
    const failure = outcome(check, result, name, request, context);
    if (failure) return end(failure);
  }
  end(false);
}

/** The error of a validation, or false. A validator returns a boolean, `{ error, value }`, or throws. */
function outcome(check, result, name, request, context) {
  if (result === false) return check.errors ? failed(check.errors, name, context) : false;
  if (result === null || typeof result !== "object") return false;
  if (result.error) return failed(result.error, name, context);
  if ("value" in result) request[name === "querystring" ? "query" : name] = result.value;
  return false;
}

/** The error for what a validator has found; that of the application's formatter, where that throws. */
function failed(failure, name, context) {
  try {
    return wrapped(failure, name, context);
  } catch (error) {
    const thrown = error !== null && typeof error === "object" ? error : new Error(`${error}`);
    thrown.statusCode ??= 500;
    return thrown;
  }
}

function wrapped(failure, name, context) {
  if (failure instanceof Error) {
    failure.statusCode ??= 400;
    failure.code ??= "FST_ERR_VALIDATION";
    failure.validationContext ??= name;
    return failure;
  }
  const format = context.schemaErrorFormatter ?? defaultFormatter;
  const error = primordials.FunctionPrototypeCall(format, context.server, failure, name);
  error.statusCode ??= 400;
  error.code ??= "FST_ERR_VALIDATION";
  error.validation = failure;
  error.validationContext = name;
  return error;
}

function defaultFormatter(errors, name) {
  const parts = [];
  for (let i = 0; i < errors.length; i++) ArrayPrototypePush(parts, `${name}${errors[i].instancePath ?? ""} ${errors[i].message}`);
  return new codes.FST_ERR_VALIDATION(primordials.ArrayPrototypeJoin(parts, ", "));
}
