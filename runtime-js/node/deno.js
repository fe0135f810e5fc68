// The object `Deno` for the scripts of deno_node. Handlers never see it.

import { core, primordials } from "ext:core/mod.js";
import {
  op_adopts_listeners,
  op_application_url,
  op_engine_version,
  op_environment,
  op_environment_delete,
  op_environment_get,
  op_environment_set,
  op_is_provided,
  op_process_cpu_usage,
  op_process_ids,
  op_process_memory_usage,
} from "ext:core/ops";
import { errorClasses, followErrors, report } from "ext:liveline/errors/errors.js";
import {
  Error, ObjectDefineProperty, ObjectKeys, ReflectApply, SafeArrayIterator,
  StringPrototypeReplace,
} from "ext:liveline/primordials.js";
import { outputs } from "./outputs.js";
import { programOf, shellCommandOf } from "./programs.js";
import { endedTimer, startedTimer } from "./timers.js";

/** What the scripts of other crates provide, by script. */
const PARTS = {
  "ext:deno_fs/30_fs.js": [
    "FsFile",
    "chmod",
    "chmodSync",
    "chown",
    "chownSync",
    "copyFile",
    "copyFileSync",
    "create",
    "createSync",
    "cwd",
    "link",
    "linkSync",
    "lstat",
    "lstatSync",
    "makeTempDir",
    "makeTempDirSync",
    "makeTempFile",
    "makeTempFileSync",
    "mkdir",
    "mkdirSync",
    "open",
    "openSync",
    "readDir",
    "readDirSync",
    "readFile",
    "readFileSync",
    "readLink",
    "readLinkSync",
    "readTextFile",
    "readTextFileSync",
    "realPath",
    "realPathSync",
    "remove",
    "removeSync",
    "rename",
    "renameSync",
    "stat",
    "statSync",
    "symlink",
    "symlinkSync",
    "truncate",
    "truncateSync",
    "umask",
    "utime",
    "utimeSync",
    "writeFile",
    "writeFileSync",
    "writeTextFile",
    "writeTextFileSync",
  ],
  "ext:deno_io/12_io.js": ["SeekMode", "stderr", "stdin", "stdout"],
  "ext:deno_os/30_os.js": [
    "execPath",
    "gid",
    "hostname",
    "loadavg",
    "networkInterfaces",
    "osRelease",
    "osUptime",
    "systemMemoryInfo",
    "uid",
  ],
  "ext:deno_net/01_net.js": ["connect", "listen", "resolveDns"],
  "ext:deno_web/02_timers.js": ["refTimer", "unrefTimer"],
};

const env = {
  delete: (name) => op_environment_delete(name),
  get: (name) => op_environment_get(name) ?? undefined,
  has: (name) => op_environment_get(name) !== null,
  set: (name, value) => op_environment_set(name, value),
  toObject: () => op_environment(),
};

/** Packages that the host provides, by name. The op decides whether it does so in this project. */
const loadProvided = core.createLazyLoader("ext:liveline_fastify/provided.js");

export function provided(name) {
  return loadProvided().provided(name);
}

const { Float64Array, ObjectPrototypeIsPrototypeOf } = primordials;
const usage = new Float64Array(4);

function memoryUsage() {
  op_process_memory_usage(usage);
  return { rss: usage[0], heapTotal: usage[1], heapUsed: usage[2], external: usage[3] };
}

function cpuUsage() {
  op_process_cpu_usage(usage);
  return { system: usage[0], user: usage[1] };
}

// -- what handlers may not do ----------------------------------------------------------------------------------------

/** An error with the code that Node's errors of this kind have. */
function refusal(code, message) {
  const error = new Error(message);
  error.code = code;
  // As of an access that a permission refuses.
  if (code === "ERR_ACCESS_DENIED") error.name = "NotCapable";
  return error;
}

/** Refuses what the host does not have; `instead` is what to do. */
function refuse(what, instead) {
  throw refusal("ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", `${what} is not available in handlers: ${instead}`);
}

/** Refuses HTTP servers at an address of their own; port 0, which the system chooses, is for tests and callbacks. */
function checkListen(address) {
  const place = typeof address === "object" && address !== null ? address.port ?? address.path : address;
  if (place === undefined || place === null || typeof place === "function" || +place === 0) return;
  refuse(
    `listen(${place})`,
    "the server listens already. Export the application: `export default app`, or `export const nodeHandler = app`",
  );
}

/** Programs that listen themselves are reached by the host's listener. Returns whether a server is one of those. */
function adoptServer(server, given) {
  if (!op_adopts_listeners()) {
    checkListen(given[0]);
    return false;
  }
  loadAdopted().adopt(server, given);
  return true;
}

const loadAdopted = core.createLazyLoader("ext:liveline_fastify/adopted.js");

/** A handler that ends the process would end every visitor's lines. */
function refuseToEnd(call) {
  throw refusal(
    "ERR_ACCESS_DENIED",
    `${call} is refused: a handler cannot end the server. Throw an error, or answer with a status`,
  );
}

function exit(code) {
  refuseToEnd(`process.exit(${code ?? ""})`);
}

function chdir() {
  throw refusal("ERR_ACCESS_DENIED", "process.chdir() is refused: the folder is that of the whole server");
}

/** Refuses signals that the server itself would receive. Signal 0 only asks whether a process exists. */
function checkSignal(pid, signal) {
  if (signal !== 0 && (pid <= 0 || pid === ids().pid)) refuseToEnd(`process.kill(${pid})`);
}

/** The error of a socket whose own address is refused, for its event `error`. Any other error is thrown on. */
function refusedToBind(error) {
  if (!ObjectPrototypeIsPrototypeOf(errorClasses.NotCapable.prototype, error)) throw error;
  error.message = StringPrototypeReplace(error.message, "connecting to", "binding a socket to");
  error.syscall = "bind";
  return error;
}

// -- what Node's scripts ask for -------------------------------------------------------------------------------------

/** The numbers of the server's process and of its parent. */
function ids() {
  if (known === null) {
    op_process_ids(usage);
    known = { pid: usage[0], ppid: usage[1] };
  }
  return known;
}

let known = null;

/** A callback that runs in the async context of the running code; without the exchange, once that has ended. */
function inContext(callback) {
  const context = core.getAsyncContext();
  if (context === undefined) return callback;
  return function (...args) {
    const outer = core.getAsyncContext();
    core.setAsyncContext(context.owner?.ended ? { ...context, exchange: undefined, owner: undefined } : context);
    try {
      return ReflectApply(callback, this, args);
    } finally {
      core.setAsyncContext(outer);
    }
  };
}

/** Calls back after the events that are waiting. */
function later(callback) {
  core.loadExtScript("ext:deno_node/timers.ts").setImmediate(callback);
}

/** Sets the variables of a file that are not set yet. */
function loadEnvironment(path, parse) {
  const values = parse(deno.readTextFileSync(path));
  for (const name of new SafeArrayIterator(ObjectKeys(values))) if (!env.has(name)) env.set(name, values[name]);
}

export const deno = {
  __proto__: null,
  args: [],
  build: core.build,
  chdir,
  checkSignal,
  cpuUsage,
  endedTimer,
  env,
  errors: errorClasses,
  exit,
  followErrors,
  inContext,
  later,
  loadEnvironment,
  /** The URL of the program, which `process.argv` names. */
  get mainModule() {
    return op_application_url() || undefined;
  },
  memoryUsage,
  noColor: true,
  isProvided: op_is_provided,
  outputs,
  programOf,
  shellCommandOf,
  get pid() {
    return ids().pid;
  },
  get ppid() {
    return ids().ppid;
  },
  provided,
  refuse,
  refuseToEnd,
  refusedToBind,
  reportError: report,
  startedTimer,
  get version() {
    return { v8: op_engine_version() };
  },
  watchFs() {
    refuse("fs.watch()", "use fs.watchFile(), which asks for a file's state at intervals");
  },
  adoptServer,
  addSignalListener() {},
  removeSignalListener() {},
};

for (const script of new SafeArrayIterator(ObjectKeys(PARTS))) {
  for (const name of new SafeArrayIterator(PARTS[script])) {
    ObjectDefineProperty(deno, name, {
      __proto__: null,
      configurable: true,
      get: () => core.loadExtScript(script)[name],
    });
  }
}
