// The object `Deno` for the scripts of deno_node. Handlers never see it.

import { core } from "ext:core/mod.js";
import {
  op_process_cpu_usage,
  op_environment,
  op_environment_delete,
  op_environment_get,
  op_environment_set,
  op_process_memory_usage,
} from "ext:core/ops";
import { errorClasses } from "ext:liveline/errors/errors.js";
import { Error, ObjectDefineProperty, ObjectKeys, SafeArrayIterator } from "ext:liveline/primordials.js";

/** What the scripts of other crates provide, by script. */
const PARTS = {
  "ext:deno_fs/30_fs.js": [
    "FsFile",
    "chdir",
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

const usage = new Float64Array(4);

function memoryUsage() {
  op_process_memory_usage(usage);
  return { rss: usage[0], heapTotal: usage[1], heapUsed: usage[2], external: usage[3] };
}

function cpuUsage() {
  op_process_cpu_usage(usage);
  return { system: usage[0], user: usage[1] };
}

/** A handler that ends the process would end every other visitor's lines. */
function exit(code) {
  throw new Error(
    `process.exit(${code}) is refused: a handler cannot end the server. Throw an error, or answer with a status`,
  );
}

export const deno = {
  __proto__: null,
  args: [],
  build: core.build,
  cpuUsage,
  env,
  errors: errorClasses,
  exit,
  mainModule: undefined,
  memoryUsage,
  noColor: true,
  pid: 0,
  ppid: 0,
  version: { deno: "", typescript: "", v8: "" },
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
