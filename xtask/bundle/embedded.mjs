// Makes a module of packages from npm: `node embedded.mjs NAME FILE`. liveline embeds the module when it is built; it
// begins with the licences.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const HERE = dirname(fileURLToPath(import.meta.url));
const { 2: name, 3: output } = process.argv;

/** What the modules export, by name; `main` are the fields of package.json that lead to the code. */
const ENTRIES = {
  /** The validator and the serializer of JSON that applications of Fastify use where a project has none of its own. */
  validators: {
    main: ["main"],
    code: `
import Ajv from "ajv";
import addFormats from "ajv-formats";
import fastJsonStringify from "fast-json-stringify";
export { Ajv, addFormats, fastJsonStringify };`,
  },
  /** What executes the GraphQL of aiwebengine's scripts. */
  graphql: {
    main: ["module", "main"],
    code: `
export {
  buildASTSchema, execute, extendSchema, getNamedType, getNullableType, getOperationAST, graphqlSync, GraphQLError,
  isCompositeType, isListType, Kind, parse, print, subscribe, validate,
} from "graphql";`,
  },
};

const entry = ENTRIES[name];
if (entry === undefined) throw new Error(`no module is called ${name}`);

/** The folders of the packages that a bundle has parts of. */
function packagesOf(files) {
  const folders = files.map((file) => /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

function licenceOf(folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no file with its licence`);
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}

const id = join(HERE, `${name}_entry.mjs`);
const bundle = await rolldown({
  input: id,
  cwd: HERE,
  platform: "neutral",
  resolve: { mainFields: entry.main },
  transform: { define: { "process.env.NODE_ENV": '"production"', "globalThis.process": "undefined" } },
  plugins: [{ name: "entry", resolveId: (name) => (name === id ? id : null), load: (name) => (name === id ? entry.code : null) }],
});
const { output: [chunk] } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false });
if (chunk.imports.length > 0) throw new Error(`the bundle imports ${chunk.imports.join(", ")}`);
/** The host embeds text of 7-bit characters alone. */
const escaped = (text) => text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
const licences = packagesOf(chunk.moduleIds).map(licenceOf).join("\n").replaceAll("*/", "* /");
writeFileSync(output, escaped(`/*\n${licences}*/\n${chunk.code}`));
