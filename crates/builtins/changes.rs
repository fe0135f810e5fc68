//! Changes of the scripts of Deno's crates. Each names a script by crate and path, a text that stands in it exactly
//! once, and the text to put in its place.

/// Changes of scripts that every build loads.
pub(crate) const WEB: &[(&str, &str, &str)] = &[
    // A handler is no page, so what is relative needs a base, and the error has to say which.
    (
        "deno_web/00_url.js",
        "maybeBase ? ` with base '${maybeBase}'` : \"\"",
        "maybeBase ? ` with base '${maybeBase}'` : adviceFor(href)",
    ),
    (
        "deno_web/00_url.js",
        "function getSerialization(",
        r##"function adviceFor(href) {
  if (href === "" || href === "undefined" || href === "null") return "";
  for (let i = 0; i < href.length; i++) {
    if (href[i] === ":") return "";
    if (href[i] === "/" || href[i] === "?" || href[i] === "#") break;
  }
  return " is relative, and a handler has no address of its own: " +
    `write new URL('${href}', event.url), or use the fetch() that handlers get as their third argument`;
}

function getSerialization("##,
    ),
    // The origin of an address is mostly that of the address before.
    (
        "deno_web/00_url.js",
        "function parseSimpleSpecialUrl(href) {\n  let schemeEnd;\n",
        "function parseSimpleOrigin(href) {\n  let schemeEnd;\n",
    ),
    (
        "deno_web/00_url.js",
        "  if (!isSimpleSpecialHostCanonical(href, hostStart, hostEnd)) {\n    return false;\n  }\n\n  let queryStart = 0;\n",
        "  if (!isSimpleSpecialHostCanonical(href, hostStart, hostEnd)) return false;

  knownOrigin = StringPrototypeSlice(href, 0, pathStart + 1);
  knownSchemeEnd = schemeEnd;
  knownHostEnd = hostEnd;
  knownPort = port;
  return true;
}

/** A simple origin with the slash after it, and its components. */
let knownOrigin = \"\";
let knownSchemeEnd = 0;
let knownHostEnd = 0;
let knownPort = NO_PORT;

function parseSimpleSpecialUrl(href) {
  const isKnown = knownOrigin !== \"\" && StringPrototypeStartsWith(href, knownOrigin);
  if (!isKnown && !parseSimpleOrigin(href)) return false;

  const len = href.length;
  const pathStart = knownOrigin.length - 1;
  let queryStart = 0;
",
    ),
    (
        "deno_web/00_url.js",
        "  componentsBuf[0] = schemeEnd;\n  componentsBuf[1] = hostStart;\n  componentsBuf[2] = hostStart;\n  \
         componentsBuf[3] = hostEnd;\n  componentsBuf[4] = port;\n",
        "  componentsBuf[0] = knownSchemeEnd;\n  componentsBuf[1] = knownSchemeEnd + 3;\n  \
         componentsBuf[2] = knownSchemeEnd + 3;\n  componentsBuf[3] = knownHostEnd;\n  componentsBuf[4] = knownPort;\n",
    ),
    // Few headers are sorted and joined without a table and without calls of a function that compares two.
    (
        "deno_fetch/20_headers.js",
        "    const seenHeaders = { __proto__: null };\n",
        "    if (list.length <= 32) return this[_iterableHeadersCache] = entriesOfFew(list);\n    \
         const seenHeaders = { __proto__: null };\n",
    ),
    (
        "deno_fetch/20_headers.js",
        "class Headers {\n",
        r#"function entriesOfFew(list) {
  const entries = [];
  for (let i = 0; i < list.length; i++) {
    const name = byteLowerCase(list[i][0]);
    const value = list[i][1];
    let at = entries.length;
    while (at > 0 && entries[at - 1][0] > name) at--;
    const before = at > 0 ? entries[at - 1] : null;
    if (before !== null && before[0] === name && name !== "set-cookie") {
      before[1] = before[1].length > 0 ? before[1] + "\x2C\x20" + value : value;
      continue;
    }
    const entry = [name, value];
    ArrayPrototypePush(entries, entry);
    for (let j = entries.length - 1; j > at; j--) entries[j] = entries[j - 1];
    entries[at] = entry;
  }
  return entries;
}

class Headers {
"#,
    ),
    // Most names and values are plain: each is looked through once.
    (
        "deno_fetch/20_headers.js",
        "    name = webidl.converters[\"ByteString\"](name, prefix, \"Argument 1\");\n    \
         value = webidl.converters[\"ByteString\"](value, prefix, \"Argument 2\");\n\n    \
         value = normalizeHeaderValue(value);\n\n    // 2.\n    \
         if (!checkHeaderNameForHttpTokenCodePoint(name)) {\n      \
         throw new TypeError(`Invalid header name: \"${name}\"`);\n    }\n    \
         if (!checkForInvalidValueChars(value)) {\n      \
         throw new TypeError(`Invalid header value: \"${value}\"`);\n    }\n",
        "    if (!isPlainName(name) || !isPlainValue(value)) {
      name = webidl.converters[\"ByteString\"](name, prefix, \"Argument 1\");
      value = normalizeHeaderValue(webidl.converters[\"ByteString\"](value, prefix, \"Argument 2\"));
      if (!checkHeaderNameForHttpTokenCodePoint(name)) throw new TypeError(`Invalid header name: \"${name}\"`);
      if (!checkForInvalidValueChars(value)) throw new TypeError(`Invalid header value: \"${value}\"`);
    }
",
    ),
    (
        "deno_fetch/20_headers.js",
        "function checkForInvalidValueChars(",
        "/** Whether a value is a name of letters, digits and hyphens. */
function isPlainName(name) {
  if (typeof name !== \"string\" || name.length === 0) return false;
  for (let i = 0; i < name.length; i++) {
    const unit = StringPrototypeCharCodeAt(name, i);
    const letter = unit | 0x20;
    if ((letter < 0x61 || letter > 0x7a) && unit !== 0x2d && (unit < 0x30 || unit > 0x39)) return false;
  }
  return true;
}

/** Whether a value is a text of printable ASCII without spaces around it. */
function isPlainValue(value) {
  if (typeof value !== \"string\" || value.length === 0) return false;
  for (let i = 0; i < value.length; i++) {
    const unit = StringPrototypeCharCodeAt(value, i);
    if (unit < 0x20 || unit > 0x7e) return false;
  }
  return value[0] !== \" \" && value[value.length - 1] !== \" \";
}

function checkForInvalidValueChars(",
    ),
    // A header that is set is found before anything is moved.
    (
        "deno_fetch/20_headers.js",
        "    let added = false;\n    for (let i = 0; i < lowerNames.length; i++) {\n",
        "    let added = false;\n    \
         while (writeIdx < lowerNames.length && lowerNames[writeIdx] !== lowercaseName) writeIdx++;\n    \
         for (let i = writeIdx; i < lowerNames.length; i++) {\n",
    ),
    // Names of letters, digits and hyphens need no entry in the table of names.
    (
        "deno_fetch/20_headers.js",
        "  const fromCache = HEADER_NAME_CACHE[name];\n",
        "  if (isPlainName(name)) return true;\n  const fromCache = HEADER_NAME_CACHE[name];\n",
    ),
    // An object of a class that only derives from Headers, as frameworks make them, is read as any other object.
    (
        "deno_fetch/20_headers.js",
        "  if (ObjectPrototypeIsPrototypeOf(HeadersPrototype, object)) {\n",
        "  if (ObjectPrototypeIsPrototypeOf(HeadersPrototype, object) && object[_brand] === _brand) {\n",
    ),
    // What a new list is filled with from Headers that may change is made for it, since it is made anew each time.
    (
        "deno_fetch/20_headers.js",
        "    const entries = object[_iterableHeaders];\n",
        "    const entries = object[_iterableHeaders];\n    if (list.length === 0 && object[_guard] !== \"immutable\") {\n      \
         object[_iterableHeadersCache] = undefined;\n      \
         for (let i = 0; i < entries.length; i++) list[i] = entries[i];\n      return;\n    }\n",
    ),
    // Headers and Requests of a class of the host's, whose fields are set at once: no class is derived from for each of
    // them, and none gets its prototype later.
    (
        "deno_fetch/20_headers.js",
        "function headersFromHeaderListLazyTarget(",
        "function headersOfPrototype(prototype) {
  function ReceivedHeaders(target, guard) {
    this[_headerList] = null;
    this[_lowerNames] = null;
    this[_headerListGetter] = null;
    this[_headerGet] = null;
    this[_headerTarget] = target;
    this[_guard] = guard;
    this[_iterableHeadersCache] = undefined;
    this[_brand] = _brand;
  }
  ReceivedHeaders.prototype = prototype;
  return ReceivedHeaders;
}

function headersFromHeaderListLazyTarget(",
    ),
    (
        "deno_fetch/20_headers.js",
        "  headersFromHeaderListLazyTarget,\n};",
        "  headersFromHeaderListLazyTarget,\n  headersOfPrototype,\n  headerTargetKey: _headerTarget,\n};",
    ),
    (
        "deno_fetch/23_request.js",
        "          this[_headersCache] = headersFromHeaderListLazyTarget(inner, guard);\n",
        "          this[_headersCache] = inner.headersOf?.(guard) ?? headersFromHeaderListLazyTarget(inner, guard);\n",
    ),
    (
        "deno_fetch/23_request.js",
        "function fromInnerRequest(",
        "function requestsOfPrototype(prototype) {
  function ReceivedRequest(inner, guard) {
    this[_request] = inner;
    this[_headersCache] = undefined;
    this[_getHeaders] = undefined;
    this[_headersGuard] = guard;
    this[_signalCache] = undefined;
    this[_url] = undefined;
    this[_method] = undefined;
    this[_brand] = _brand;
  }
  ReceivedRequest.prototype = prototype;
  return ReceivedRequest;
}

function fromInnerRequest(",
    ),
    (
        "deno_fetch/23_request.js",
        "  fromInnerRequest,\n",
        "  fromInnerRequest,\n  requestsOfPrototype,\n",
    ),
    // A copy of a received request has the client's body too, unless it is given another.
    (
        "deno_fetch/23_request.js",
        "    blobUrlEntry: request.blobUrlEntry,\n    url() {\n",
        "    blobUrlEntry: request.blobUrlEntry,\n    sender: request.sender,\n    url() {\n",
    ),
    (
        "deno_fetch/23_request.js",
        "    request.body = finalBody;\n",
        "    request.body = finalBody;\n    if (initBody !== null) request.sender = undefined;\n",
    ),
    // Responses have no second, native form, which Deno's own server would send: where Node's half is loaded, each
    // Response with headers would be copied into one.
    (
        "deno_fetch/23_response.js",
        "  if (opHttpNewResponseNativeHeaders === undefined) return;\n  \
         const native = opHttpNewResponseNativeHeaders(body, status, headers);\n  \
         setServeNativeResponse(response, native);\n",
        "",
    ),
    // Which strings are byte strings is decided when they are converted: in Workers all are texts.
    (
        "deno_fetch/20_headers.js",
        "          : webidlConverterByteString(value, prefix, context, opts),\n",
        "          : webidl.converters.ByteString(value, prefix, context, opts),\n",
    ),
    (
        "deno_fetch/20_headers.js",
        "      const header = webidlConverterSequenceByteString(\n",
        "      const header = webidl.converters[\"sequence<ByteString>\"](\n",
    ),
    // A body is a stream of bytes, whatever it was made of (Fetch, section Bodies). A copy, because the stream takes its chunks
    // from their owner.
    ("deno_fetch/22_body.js", "  createReadableStream,\n", "  createReadableByteStream,\n"),
    (
        "deno_fetch/22_body.js",
        "createReadableStream(\n          noop,\n          (controller) => {\n            \
         controller.enqueue(chunkToU8(body));\n            controller.close();\n          },\n          \
         noopAsync,\n          0,\n        );",
        "createReadableByteStream(
          noop,
          (controller) => {
            const bytes = typeof body === \"string\" ? core.encode(body) : TypedArrayPrototypeSlice(body);
            if (bytes.length > 0) controller.enqueue(bytes);
            controller.close();
            controller.byobRequest?.respond(0);
          },
          noopAsync,
        );",
    ),
    // Streams of a length that the host knows get a `Content-Length`.
    (
        "deno_fetch/22_body.js",
        "return { extractBody, InnerBody, mixinBody, packageData };",
        "return { extractBody, InnerBody, mixinBody, packageData, staticBodyLength };",
    ),
    // Without a byte order mark, as from bytes.
    (
        "deno_fetch/22_body.js",
        "  SafeWeakMap,\n",
        "  SafeWeakMap,\n  StringPrototypeCharCodeAt,\n  StringPrototypeSlice,\n",
    ),
    (
        "deno_fetch/22_body.js",
        "  return typeof chunk === \"string\" ? chunk : core.decode(chunk);",
        "  if (typeof chunk !== \"string\") return core.decode(chunk);\n  \
         return StringPrototypeCharCodeAt(chunk, 0) === 0xfeff ? StringPrototypeSlice(chunk, 1) : chunk;",
    ),
    // A body that is there already is passed as what is wanted.
    ("deno_fetch/22_body.js", "await object[bodySymbol].consume()", "await object[bodySymbol].consume(type)"),
    // Listeners take the memory of those that there are. An object without a prototype would be a hash table, and a list
    // that begins empty has room for seventeen.
    (
        "deno_web/02_event.js",
        "    listeners: ObjectCreate(null),\n",
        "    listeners: new Listeners(),\n",
    ),
    (
        "deno_web/02_event.js",
        "function getDefaultTargetData() {\n",
        "function Listeners() {}\nListeners.prototype = ObjectFreeze(ObjectCreate(null));\n\nfunction getDefaultTargetData() {\n",
    ),
    (
        "deno_web/02_event.js",
        "    ArrayPrototypePush(listeners[type], {\n      callback,\n      options,\n      signal,\n      abortListener,\n    });\n",
        "    const listener = { callback, options, signal, abortListener };\n    \
         if (listeners[type].length === 0) listeners[type] = [listener];\n    \
         else ArrayPrototypePush(listeners[type], listener);\n",
    ),
    // The list of no ports is the same for all messages.
    (
        "deno_web/02_event.js",
        "      // exposed array must be read-only.\n      this.ports = ObjectFreeze([]);",
        "      this.ports = NO_PORTS;",
    ),
    (
        "deno_web/02_event.js",
        "class MessageEvent extends Event {",
        "const NO_PORTS = ObjectFreeze([]);\n\nclass MessageEvent extends Event {",
    ),
    // Nothing runs before the first listener that could have removed it.
    (
        "deno_web/02_event.js",
        "    if (!ArrayPrototypeIncludes(targetListeners[type], listener)) {",
        "    if (i > 0 && !ArrayPrototypeIncludes(targetListeners[type], listener)) {",
    ),
    // A target outside of trees is the whole path of its event.
    (
        "deno_web/02_event.js",
        "  let clearTargets = false;\n  let activationTarget = null;\n",
        "  if (targetOverride === undefined && eventImpl.relatedTarget === undefined && !isNode(targetImpl)) {\n    \
         return dispatchOutsideOfTrees(targetImpl, eventImpl);\n  }\n  \
         let clearTargets = false;\n  let activationTarget = null;\n",
    ),
    (
        "deno_web/02_event.js",
        "function dispatch(\n",
        r"function dispatchOutsideOfTrees(target, event) {
  const attributes = event[_attributes];
  event[_dispatched] = true;
  event[_path] = [{ item: target, rootOfClosedTree: false, slotInClosedTree: false }];
  attributes.target = target;
  if (!event[_stopPropagationFlag]) {
    attributes.eventPhase = 2;
    attributes.currentTarget = target;
    try {
      innerInvokeEventListeners(event, getListeners(target));
    } catch (error) {
      reportException(error);
    }
    attributes.eventPhase = 0;
    attributes.currentTarget = null;
  }
  event[_path] = [];
  event[_dispatched] = false;
  event[_stopPropagationFlag] = false;
  event[_stopImmediatePropagationFlag] = false;
  return !event[_canceledFlag];
}

function dispatch(
",
    ),
    // Read when first used, since most isolates never do.
    (
        "deno_web/15_performance.js",
        "    return timeOrigin;\n",
        "    if (timeOrigin === undefined) setTimeOrigin();\n    return timeOrigin;\n",
    ),
];

/// Changes of scripts that Node's half loads. `Deno` in them is `runtime-js/node/deno.js`.
pub(crate) const NODE: &[(&str, &str, &str)] = &[
    // This text becomes a function of the global scope, which has no Deno.
    (
        "deno_fs/30_fs.js",
        "'const unix = Deno.build.os === \"darwin\" || Deno.build.os === \"linux\" || Deno.build.os === \"android\" || \
         Deno.build.os === \"openbsd\" || Deno.build.os === \"freebsd\";' +",
        "`const unix = ${core.build.os !== \"windows\"};` +",
    ),
    // A refusal is no program that failed.
    (
        "deno_node/polyfills/internal/child_process.ts",
        r#"      result.error = _createSpawnError("ENOENT", command, args, true);
    }
  }
  return result;"#,
        r#"      result.error = _createSpawnError("ENOENT", command, args, true);
    } else if (ObjectPrototypeIsPrototypeOf(Deno.errors.NotCapable.prototype, err)) {
      throw err;
    }
  }
  return result;"#,
    ),
    // As Node does before it connects, to one address as to several: libraries that stand in for servers take the socket then.
    (
        "deno_node/polyfills/net.ts",
        "  if (addressType === 6 || addressType === 4) {\n    const req = new TCPConnectWrap();\n    \
         req.oncomplete = _afterConnect;\n",
        "  socket.emit(\"connectionAttempt\", address, port, addressType);\n\n  \
         if (addressType === 6 || addressType === 4) {\n    const req = new TCPConnectWrap();\n    \
         req.oncomplete = _afterConnect;\n",
    ),
    // Names that packages import. An import of a name that is missing is an error of the whole module.
    (
        "deno_node/polyfills/perf_hooks.js",
        "const {\n  performance,\n  PerformanceEntry,\n",
        "const {\n  Performance,\n  performance,\n  PerformanceMark,\n  PerformanceMeasure,\n  PerformanceEntry,\n",
    ),
    (
        "deno_node/polyfills/perf_hooks.js",
        "    performance,\n    PerformanceObserver,\n",
        "    Performance,\n    performance,\n    PerformanceMark,\n    PerformanceMeasure,\n    PerformanceObserver,\n",
    ),
    (
        "deno_node/polyfills/perf_hooks.js",
        "  monitorEventLoopDelay,\n  performance,\n",
        "  monitorEventLoopDelay,\n  Performance,\n  performance,\n  PerformanceMark,\n  PerformanceMeasure,\n",
    ),
    // The times of the start of a process, which is that of the server, are not those of a handler.
    (
        "deno_node/polyfills/perf_hooks.js",
        "performance.nodeTiming = {};",
        "performance.nodeTiming = {\n  name: \"node\", entryType: \"node\", startTime: 0, get duration() { return performance.now(); },\n  \
         nodeStart: 0, v8Start: 0, environment: 0, bootstrapComplete: 0, loopStart: 0, loopExit: -1, idleTime: 0,\n};",
    ),
    (
        "deno_node/polyfills/perf_hooks_esm.js",
        "  performance,\n",
        "  Performance,\n  performance,\n  PerformanceMark,\n  PerformanceMeasure,\n",
    ),
    (
        "deno_node/polyfills/http_esm.ts",
        "export const _connectionListener = mod._connectionListener;\n",
        "export const _connectionListener = mod._connectionListener;\n\
         export const { CloseEvent, MessageEvent, WebSocket } = globalThis;\n",
    ),
    (
        "deno_node/polyfills/url.ts",
        "  URLSearchParams: URLSearchParams_,\n",
        "  URLSearchParams: URLSearchParams_,\n  \
         URLPattern: core.loadExtScript(\"ext:deno_web/01_urlpattern.js\").URLPattern,\n",
    ),
    // The arguments of child processes are not those of Deno's program; which program this host's own path stands for is
    // decided in `runtime-js/node/programs.js`.
    (
        "deno_node/polyfills/child_process.ts",
        "  if (Deno.build.standalone) {\n    // In standalone (compiled) binaries, skip",
        "  if (nodeArgs !== undefined) {\n    args = nodeArgs;\n  } else if (Deno.build.standalone) {\n    \
         // In standalone (compiled) binaries, skip",
    ),
    (
        "deno_node/polyfills/child_process.ts",
        "  options.execPath = options.execPath || Deno.execPath();\n",
        "  options.execPath = options.execPath || Deno.programOf(Deno.execPath());\n",
    ),
    (
        "deno_node/polyfills/internal/child_process.ts",
        "  if (file === Deno.execPath() && !Deno.build.standalone) {\n",
        "  file = Deno.programOf(file, args[0]);\n  if (file === null) {\n",
    ),
    (
        "deno_node/polyfills/internal/child_process.ts",
        "  isCmdExe = false,\n) {\n  const denoPath = Deno.execPath();\n",
        "  isCmdExe = false,\n) {\n  if (!isCmdExe) return Deno.shellCommandOf(command);\n  \
         const denoPath = Deno.execPath();\n",
    ),
    (
        "deno_node/polyfills/internal/child_process.ts",
        "      if (argsForDeno.length > 0) {\n",
        "      if (argsForDeno === null) {\n",
    ),
    // The process is the server: handlers neither end it nor move it to another folder.
    (
        "deno_node/polyfills/process.ts",
        "export const exit = (code?: number | string) => {",
        "export const exit = (code?: number | string) => {\n  Deno.exit(code);",
    ),
    (
        "deno_node/polyfills/process.ts",
        "  op_process_abort();\n",
        "  Deno.refuseToEnd(\"process.abort()\");\n",
    ),
    (
        "deno_node/polyfills/process.ts",
        "function _kill(pid: number, sig: number): number {",
        "function _kill(pid: number, sig: number): number {\n  Deno.checkSignal(pid, sig);",
    ),
    ("deno_node/polyfills/_process/process.ts", "    fs.chdir(directory);", "    Deno.chdir(directory);"),
    // There is no main script: the server runs many.
    (
        "deno_node/polyfills/process.ts",
        "  return join(Deno.cwd(), \"$deno$node.mjs\");",
        "  return Deno.cwd();",
    ),
    // Programs ask for the name of another host here.
    (
        "deno_node/polyfills/_process/process.ts",
        "  deno: \"\",\n  v8: \"\",\n  typescript: \"\",\n",
        "  v8: Deno.version.v8,\n",
    ),
    // Packages may have the names of modules that need the prefix, and nothing internal is required.
    (
        "deno_node/polyfills/01_require.js",
        "  return request in nativeModuleExports;\n}",
        "  return isBuiltin(request) || Deno.isProvided(request);\n}",
    ),
    // Packages that the host provides.
    (
        "deno_node/polyfills/01_require.js",
        "function loadNativeModule(_id, request) {",
        "function loadNativeModule(_id, request) {\n  if (!isBuiltin(request) && Deno.isProvided(request)) {\n    \
         return { exports: Deno.provided(request), canBeRequiredByUsers: true };\n  }",
    ),
    (
        "deno_node/polyfills/01_require.js",
        "moduleName === \"test\" || moduleName === \"test/reporters\"",
        "moduleName === \"sqlite\" || moduleName === \"test\" || moduleName === \"test/reporters\"",
    ),
    (
        "deno_node/polyfills/01_require.js",
        "    isBuiltin(request) ||\n    normalizedRequest in nativeModuleExports\n",
        "    isBuiltin(request)\n",
    ),
    (
        "deno_node/polyfills/01_require.js",
        "    if (id in nativeModuleExports) {\n      return request;",
        "    if (isBuiltin(request)) {\n      return request;",
    ),
    (
        "deno_node/polyfills/01_require.js",
        "const mod = loadNativeModule(filename, request);",
        "const mod = isBuiltin(request) ? loadNativeModule(filename, request) : undefined;",
    ),
    // The outputs of the process are the server's log.
    (
        "deno_node/polyfills/process.ts",
        "const makeStdioWriteStream = (fd, ioStream, name) => {",
        "const makeStdioWriteStream = (fd, _, name) => {\n      const ioStream = Deno.outputs[fd];",
    ),
    (
        "deno_node/polyfills/fs.ts",
        "    return op_node_fs_write_sync(\n      fd,\n      (buffer as Uint8Array).subarray(offset, offset + length),",
        "    const output = Deno.outputs[fd];\n    \
         if (output) return output.writeSync(buffer.subarray(offset, offset + length));\n    \
         return op_node_fs_write_sync(\n      fd,\n      (buffer as Uint8Array).subarray(offset, offset + length),",
    ),
    (
        "deno_node/polyfills/fs.ts",
        "    return await op_node_fs_write_deferred(\n      fd,\n      (buffer as Uint8Array).subarray(offset, offset + length),",
        "    const output = Deno.outputs[fd];\n    \
         if (output) return output.writeSync(buffer.subarray(offset, offset + length));\n    \
         return await op_node_fs_write_deferred(\n      fd,\n      (buffer as Uint8Array).subarray(offset, offset + length),",
    ),
    // The variables of handlers are not those of the process.
    (
        "deno_node/polyfills/process.ts",
        "    return op_node_load_env_file(path);",
        "    return Deno.loadEnvironment(path, lazyLoadUtil().parseEnv);",
    ),
    // Listeners of uncaught errors are called after the host has logged the error.
    (
        "deno_node/polyfills/process.ts",
        "globalThis.addEventListener(\"error\", processOnError)",
        "Deno.followErrors(processOnError)",
    ),
    (
        "deno_node/polyfills/process.ts",
        "globalThis.removeEventListener(\"error\", processOnError)",
        "Deno.followErrors(null)",
    ),
    // Timers that a handler starts belong to its exchange.
    (
        "deno_node/polyfills/internal/timers.mjs",
        "  MapPrototypeSet(activeTimers, id, this);\n",
        "  MapPrototypeSet(activeTimers, id, this);\n  if (!this[kSystem]) Deno.startedTimer(id, this, kDestroy);\n",
    ),
    (
        "deno_node/polyfills/internal/timers.mjs",
        "  MapPrototypeDelete,\n  MapPrototypeGet,\n",
        "  MapPrototypeGet,\n",
    ),
    (
        "deno_node/polyfills/internal/timers.mjs",
        "const kDestroy = Symbol(\"destroy\");",
        "const MapPrototypeDelete = (timers, id) => {\n  Deno.endedTimer(id);\n  \
         return primordials.MapPrototypeDelete(timers, id);\n};\nconst kDestroy = Symbol(\"destroy\");",
    ),
    // An error is logged while the exchange is known whose code threw it.
    (
        "deno_node/polyfills/internal/timers.mjs",
        "        return ReflectApply(unboundCallback, self, argv);\n      } finally {",
        "        return ReflectApply(unboundCallback, self, argv);\n      } catch (error) {\n        \
         Deno.reportError(error);\n      } finally {",
    ),
    (
        "deno_node/polyfills/internal/timers.mjs",
        "        return FunctionPrototypeCall(currentCb, self);\n      }\n    } finally {",
        "        return FunctionPrototypeCall(currentCb, self);\n      }\n    } catch (error) {\n      \
         Deno.reportError(error);\n    } finally {",
    ),
    // Data that a socket receives is handled in the async context of the code that made the socket.
    (
        "deno_node/polyfills/net.ts",
        "    socket._handle.onread = onStreamRead;\n    socket[asyncIdSymbol] = _getNewAsyncId(socket._handle);",
        "    socket._handle.onread = Deno.inContext(onStreamRead);\n    \
         socket[asyncIdSymbol] = _getNewAsyncId(socket._handle);",
    ),
    (
        "deno_node/polyfills/net.ts",
        "    handle.close(() => {",
        "    ((callback) => handle.close(Deno.inContext(callback)))(() => {",
    ),
    // An address that is refused is an event of its socket, and no error that is thrown out of a callback.
    (
        "deno_node/polyfills/dgram.ts",
        "      const err = state.handle.bind(ip, port as number || 0, flags);\n",
        "      let err;\n      try {\n        err = state.handle.bind(ip, port as number || 0, flags);\n      } \
         catch (refused) {\n        state.bindState = BIND_STATE_UNBOUND;\n        \
         this.emit(\"error\", Deno.refusedToBind(refused));\n        return;\n      }\n",
    ),
    (
        "deno_node/polyfills/internal_binding/udp_wrap.ts",
        "          err = codeMap.get(\"UNKNOWN\")!;\n        }\n\n        sent = 0;",
        "          err = ObjectPrototypeIsPrototypeOf(Deno.errors.NotCapable.prototype, e)\n            \
         ? e : codeMap.get(\"UNKNOWN\")!;\n        }\n\n        sent = 0;",
    ),
    (
        "deno_node/polyfills/dgram.ts",
        "    ex = exceptionWithHostPort(err, \"send\", this.address, this.port);",
        "    ex = typeof err === \"object\" ? err : exceptionWithHostPort(err, \"send\", this.address, this.port);",
    ),
    (
        "deno_node/polyfills/net.ts",
        "  if (cluster.isPrimary || exclusive) {\n    \
         server._listen2(address, port, addressType, backlog, fd, flags);\n    return;",
        "  if (cluster.isPrimary || exclusive) {\n    try {\n      \
         server._listen2(address, port, addressType, backlog, fd, flags);\n    } catch (refused) {\n      \
         nextTick(_emitErrorNT, server, Deno.refusedToBind(refused));\n    }\n    return;",
    ),
    (
        "deno_node/polyfills/net.ts",
        "      err = (socket._handle as TCP).bind(localAddress, localPort);\n    } else {\n      // addressType === 6\n      \
         localAddress = localAddress || DEFAULT_IPV6_ADDR;\n      \
         err = (socket._handle as TCP).bind6(localAddress, localPort, flags);\n",
        "      err = boundTo(() => (socket._handle as TCP).bind(localAddress, localPort));\n    } else {\n      \
         // addressType === 6\n      localAddress = localAddress || DEFAULT_IPV6_ADDR;\n      \
         err = boundTo(() => (socket._handle as TCP).bind6(localAddress, localPort, flags));\n",
    ),
    (
        "deno_node/polyfills/net.ts",
        "    err = _checkBindError(err, localPort, socket._handle as TCP);\n\n    if (err) {\n      \
         const ex = exceptionWithHostPort(err, \"bind\", localAddress, localPort);",
        "    if (typeof err === \"number\") err = _checkBindError(err, localPort, socket._handle as TCP);\n\n    \
         if (err) {\n      const ex = typeof err === \"object\"\n        \
         ? err : exceptionWithHostPort(err, \"bind\", localAddress, localPort);",
    ),
    (
        "deno_node/polyfills/net.ts",
        "function _internalConnect(\n",
        "/** The error number of a bind, or the error that refused it. */\nfunction boundTo(bind) {\n  try {\n    \
         return bind();\n  } catch (refused) {\n    return Deno.refusedToBind(refused);\n  }\n}\n\n\
         function _internalConnect(\n",
    ),
    (
        "deno_node/polyfills/net.ts",
        "      err = self._handle.bind(localAddress, localPort);\n    } else {\n      // addressType === 6\n      \
         localAddress = DEFAULT_IPV6_ADDR;\n      err = self._handle.bind6(localAddress, localPort, flags);\n",
        "      err = boundTo(() => self._handle.bind(localAddress, localPort));\n    } else {\n      \
         // addressType === 6\n      localAddress = DEFAULT_IPV6_ADDR;\n      \
         err = boundTo(() => self._handle.bind6(localAddress, localPort, flags));\n",
    ),
    (
        "deno_node/polyfills/net.ts",
        "    err = _checkBindError(err, localPort, self._handle);\n    if (err) {\n      ArrayPrototypePush(\n        \
         context.errors,\n        exceptionWithHostPort(err, \"bind\", localAddress, localPort),",
        "    if (typeof err === \"number\") err = _checkBindError(err, localPort, self._handle);\n    if (err) {\n      \
         ArrayPrototypePush(\n        context.errors,\n        typeof err === \"object\"\n          \
         ? err : exceptionWithHostPort(err, \"bind\", localAddress, localPort),",
    ),
    // A name that may not be looked up, or a name server that may not be reached.
    (
        "deno_node/polyfills/internal_binding/cares_wrap.ts",
        "        error = codeMap.get(\"EPERM\")!;",
        "        error = e;",
    ),
    (
        "deno_node/polyfills/internal_binding/cares_wrap.ts",
        "          code = codeMap.get(\"UNKNOWN\")!;",
        "          code = ObjectPrototypeIsPrototypeOf(Deno.errors.NotCapable.prototype, e)\n            \
         ? e : codeMap.get(\"UNKNOWN\")!;",
    ),
    (
        "deno_node/polyfills/internal/errors.ts",
        "const dnsException = hideStackFrames(function (code, syscall, hostname) {\n",
        "const dnsException = hideStackFrames(function (code, syscall, hostname) {\n  \
         if (typeof code === \"object\") return code;\n",
    ),
    // Compression runs on the isolate's thread. Between two blocks of output other code runs.
    (
        "deno_node/polyfills/zlib.js",
        "    process.nextTick(processCallback.bind(handle));",
        "    Deno.later(processCallback.bind(handle));",
    ),
    // What the host does not have is refused by name.
    (
        "deno_node/polyfills/_http_server.js",
        "Server.prototype.listen = function listen(...args) {",
        "Server.prototype.listen = function listen(...args) {\n  if (Deno.adoptServer(this, args)) return this;",
    ),
    (
        "deno_node/polyfills/worker_threads.ts",
        "    const serializedWorkerMetadata = serializeJsMessageData({\n      workerData:",
        "    Deno.refuse(\n      \"new Worker()\",\n      \
         \"start another process, or import liveline:shared for work that all visitors share\",\n    );\n    \
         const serializedWorkerMetadata = serializeJsMessageData({\n      workerData:",
    ),
    (
        "deno_node/polyfills/sqlite.ts",
        "const { core, primordials } = __bootstrap;",
        "const { core, primordials } = __bootstrap;\n\
         Deno.refuse(\"node:sqlite\", \"import liveline:sql for a database of the server\");",
    ),
    (
        "deno_node/polyfills/vm.js",
        "    const context = op_vm_create_context_without_contextify(",
        "    Deno.refuse(\"vm.createContext()\", CONTEXTS);\n    \
         const context = op_vm_create_context_without_contextify(",
    ),
    (
        "deno_node/polyfills/vm.js",
        "  op_vm_create_context(\n",
        "  Deno.refuse(\"vm.createContext()\", CONTEXTS);\n  op_vm_create_context(\n",
    ),
    (
        "deno_node/polyfills/vm.js",
        "const { core, primordials } = __bootstrap;",
        "const { core, primordials } = __bootstrap;\n\
         const CONTEXTS = \"vm.runInThisContext() and vm.compileFunction() run code in the isolate's own context\";",
    ),
];
