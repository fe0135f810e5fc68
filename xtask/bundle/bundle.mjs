// Makes the scripts that browsers run of the modules in runtime-js/, with rolldown, and writes them to
// src/browser/bundles/. `cargo xtask bundle` runs this; with --check it writes nothing and fails if a script is stale.
//
// There are three kinds, each an expression or a module as src/browser/files.rs serves it:
// - the app: a function of the manifest;
// - a part of the app, which a page loads when it first needs it: a module whose default export is a function of what
//   the part imports from files of the app, so that no file's state exists twice in a page;
// - the service worker's runtime: a module whose default export is `start`.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { parseAst } from "rolldown/parseAst";
import { minifySync } from "rolldown/utils";
import { withPlainBuiltIns } from "./built_ins.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const ENTRIES = join(ROOT, "runtime-js/client");
const OUTPUT = join(ROOT, "src/browser/bundles");
/** SHA-256 of each file that the bundles are made of, and of each bundle. */
const SUMS = "sums.json";

const PARTS = [
  "binding", "classic", "device", "dialogs", "events", "forms", "handlers", "later", "live", "session", "sockets",
  "user",
];
/** Where the host serves the parts. */
const PARTS_URL = "/.liveline/app/";

/** The syntax that browsers must understand. */
const TARGET = "es2022";

// -- modules ---------------------------------------------------------------------------------------------------------

/** @typedef {{ code: string, imports: { file: string, names: string[] }[], exports: string[] }} Source */

/** Every module that was read, by its file. @type {Map<string, Source>} */
const sources = new Map();
/** Every file that was read, with its text. */
const inputs = new Map();

function entry(name) {
  return join(ENTRIES, `${name}.js`);
}

/** @returns {Source} */
function sourceOf(file) {
  if (!sources.has(file)) {
    const text = readFileSync(file, "utf8");
    inputs.set(file, text);
    const code = withPlainBuiltIns(text, file);
    sources.set(file, { code, ...interfaceOf(parseAst(code).body, file) });
  }
  return sources.get(file);
}

/** What a module imports and exports by name. */
function interfaceOf(body, file) {
  const imports = [];
  const exports = [];
  for (const statement of body) {
    if (statement.type === "ImportDeclaration") {
      const names = statement.specifiers.map(({ imported }) => imported?.name);
      if (names.includes(undefined)) throw new Error(`${file} imports ${statement.source.value} without naming what`);
      imports.push({ file: resolve(dirname(file), statement.source.value), names });
    } else if (statement.type === "ExportNamedDeclaration") {
      const { declaration, specifiers, source } = statement;
      if (source !== null) throw new Error(`${file} exports names of ${source.value}; import them first`);
      exports.push(...specifiers.map(({ exported }) => exported.name));
      const declared = declaration?.declarations?.map(({ id }) => id) ?? (declaration === null ? [] : [declaration.id]);
      exports.push(...declared.map(({ name }) => name));
    } else if (statement.type === "ExportDefaultDeclaration") {
      exports.push("default");
    }
  }
  return { imports, exports };
}

/** A file and everything that it imports, without those of `known`. */
function graphOf(file, known = new Set(), found = new Set()) {
  if (known.has(file) || found.has(file)) return found;
  found.add(file);
  for (const imported of sourceOf(file).imports) graphOf(imported.file, known, found);
  return found;
}

/** What parts import from files of the app, in the order in which the app passes it. */
function sharedBindings(appFiles) {
  const shared = new Map();
  for (const part of PARTS) {
    for (const file of graphOf(entry(part), appFiles)) {
      for (const { file: from, names } of sourceOf(file).imports) {
        for (const name of appFiles.has(from) ? names : []) shared.set(`${from}#${name}`, { file: from, name });
      }
    }
  }
  return [...shared.keys()].sort().map((key) => shared.get(key));
}

// -- bundles ---------------------------------------------------------------------------------------------------------

/** Bundles a module, which is given as text, with what it imports. `standIns` are modules to use in place of files. */
async function bundled(code, standIns = new Map()) {
  const ENTRY = "\0entry";
  const STAND_IN = "\0stand-in:";
  const modules = {
    name: "modules",
    resolveId(specifier, importer) {
      if (specifier === ENTRY) return ENTRY;
      const file = importer === ENTRY ? specifier : resolve(dirname(importer), specifier);
      return standIns.has(file) ? STAND_IN + file : file;
    },
    load(id) {
      if (id === ENTRY) return code;
      return id.startsWith(STAND_IN) ? standIns.get(id.slice(STAND_IN.length)) : sourceOf(id).code;
    },
  };
  const bundle = await rolldown({
    input: ENTRY,
    cwd: ROOT,
    plugins: [modules],
    onLog: (level, log) => {
      throw new Error(`${level}: ${log.message}`);
    },
  });
  const { output } = await bundle.generate({ format: "es", minify: false });
  await bundle.close();
  if (output.length !== 1) throw new Error(`a bundle has ${output.length} files`);
  return output[0].code;
}

/** The same script or module in fewer bytes. */
function minified(name, code, isModule) {
  const { code: short, errors } = minifySync(`${name}.js`, code, {
    module: isModule,
    compress: { target: TARGET },
    mangle: { toplevel: true },
    codegen: { removeWhitespace: true, legalComments: "none" },
  });
  if (errors.length > 0) throw new Error(`${name}: ${errors[0].message}`);
  return short.trim().replace(/;$/, "");
}

function importOf(file, names) {
  return `import { ${names.join(", ")} } from ${JSON.stringify(file)};\n`;
}

/** The parameters of a part's function, and the arguments of the app's call. */
function parametersFor(shared) {
  return shared.map((_, number) => `$${number}`).join(", ");
}

/** `(($manifest) => { ... })`, to be called with the manifest. */
async function app(shared) {
  const imports = shared.map(({ file, name }, number) => importOf(file, [`${name} as $${number}`]));
  const load = `(part, query) => import(\`${PARTS_URL}\${part}.js\${query}\`)` +
    `.then((module) => module.default(${parametersFor(shared)}))`;
  const code = await bundled(`${importOf(entry("app"), ["start"])}${imports.join("")}start($manifest, ${load});`);
  // It is assigned, because the compressor would leave out a function that nothing uses.
  const assigned = "$app=";
  const script = minified("app", `${assigned}($manifest) => {\n"use strict";\n${code}\n}`, false);
  if (!script.startsWith(assigned)) throw new Error("the app is no assignment");
  return `(${script.slice(assigned.length)})`;
}

/** `export default ($0, $1, ...) => { ...; return { ... }; }` */
async function part(name, shared) {
  const standIns = new Map();
  shared.forEach(({ file, name }, number) => {
    standIns.set(file, `${standIns.get(file) ?? ""}export const ${name} = $${number};\n`);
  });
  const { exports } = sourceOf(entry(name));
  const imports = importOf(entry(name), exports.map((exported, number) => `${exported} as $export${number}`));
  const members = exports.map((exported, number) => `${exported}: $export${number}`);
  const code = await bundled(`${imports}$result = { ${members.join(", ")} };`, standIns);
  return minified(name, `export default (${parametersFor(shared)}) => ${bodyOf(code)}`, true);
}

/** `export default (() => { ...; return start; })()` */
async function worker() {
  const code = await bundled(`${importOf(entry("worker"), ["start"])}$result = start;`);
  return minified("worker", `export default (() => ${bodyOf(code)})()`, true);
}

/** The body of a function that returns what `code` assigns to `$result`. */
function bodyOf(code) {
  return `{\nlet $result;\n${code}\nreturn $result;\n}`;
}

// -- files -----------------------------------------------------------------------------------------------------------

function sumOf(text) {
  return createHash("sha256").update(text).digest("hex");
}

/** Everything that is written, by its name. */
async function build() {
  const shared = sharedBindings(graphOf(entry("app")));
  const files = new Map([["app.js", await app(shared)], ["worker.js", await worker()]]);
  for (const name of PARTS) files.set(`${name}.js`, await part(name, shared));
  for (const name of ["bundle.mjs", "built_ins.mjs", "package-lock.json"]) {
    inputs.set(join(HERE, name), readFileSync(join(HERE, name), "utf8"));
  }
  const sums = {};
  for (const [file, text] of inputs) sums[relative(ROOT, file).split(sep).join("/")] = sumOf(text);
  for (const [name, text] of files) {
    files.set(name, `${text}\n`);
    sums[`src/browser/bundles/${name}`] = sumOf(files.get(name));
  }
  const sorted = Object.fromEntries(Object.entries(sums).sort(([one], [other]) => one < other ? -1 : 1));
  files.set(SUMS, `${JSON.stringify(sorted, null, 2)}\n`);
  return files;
}

/** What there is of a file, or undefined. */
function present(name) {
  try {
    return readFileSync(join(OUTPUT, name), "utf8");
  } catch {
    return undefined;
  }
}

const files = await build();
mkdirSync(OUTPUT, { recursive: true });
const stale = [...files].filter(([name, text]) => present(name) !== text).map(([name]) => name);
const old = readdirSync(OUTPUT).filter((name) => !files.has(name));
if (process.argv.includes("--check")) {
  if (stale.length + old.length > 0) {
    console.error(`stale: ${[...stale, ...old].join(", ")}; run \`cargo xtask bundle\``);
    process.exitCode = 1;
  }
} else {
  for (const name of stale) writeFileSync(join(OUTPUT, name), files.get(name));
  for (const name of old) rmSync(join(OUTPUT, name));
  console.log(stale.length + old.length > 0 ? `written: ${[...stale, ...old].join(", ")}` : "nothing has changed");
}
