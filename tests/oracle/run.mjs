// Runs the scripts of an oracle on the real system and on ours, and compares what they saw.
//
//   node run.mjs NAME [SCRIPT...]            both, and compares them
//   node run.mjs NAME [SCRIPT...] --record   the real system alone; writes NAME/recorded/SCRIPT.json
//   node run.mjs NAME [SCRIPT...] --check    ours alone, against the recordings
//   ... --list                               prints differences as entries for differences.json, without reasons
//
// LIVELINE_BIN names our executable. LIVELINE_ORACLE_PACKAGES is the folder in which the packages of NAME/package.json
// are installed (without it: NAME itself). `cargo xtask oracle NAME` sets both.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { differences, judge, show } from "./harness/compare.mjs";
import { normal } from "./harness/normal.mjs";
import { within } from "./harness/patience.mjs";
import { Script } from "./harness/script.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** How long a script may take, in milliseconds. */
const PATIENCE = 180_000;

const words = process.argv.slice(2);
const isRecording = words.includes("--record");
const isChecking = words.includes("--check");
const isListing = words.includes("--list");
const [name, ...wanted] = words.filter((word) => !word.startsWith("--"));
if (!name || !existsSync(join(HERE, name, "oracle.mjs"))) fail(`usage: node run.mjs NAME [SCRIPT...] [--record|--check]`);

const folder = join(HERE, name);
const packages = process.env.LIVELINE_ORACLE_PACKAGES ?? folder;
const { default: oracle } = await import(pathToFileURL(join(folder, "oracle.mjs")));
const { WebSocket } = createRequire(join(packages, "package.json"))("ws");
const names = { real: oracle.real, ours: "liveline" };

// Libraries that scripts drive leave promises behind when a host ends.
process.on("unhandledRejection", (error) => console.error(`nobody awaited a promise that was rejected: ${error}`));

function fail(message) {
  console.error(message);
  process.exit(2);
}

/** Those of the chosen files; a file has one, or several by titles. */
async function scripts() {
  const files = readdirSync(join(folder, "scripts")).filter((file) => file.endsWith(".mjs")).sort();
  const all = files.map((file) => file.slice(0, -".mjs".length));
  for (const it of wanted) if (!all.includes(it)) fail(`there is no script ${it} in ${folder}/scripts`);
  const chosen = wanted.length === 0 ? all : wanted;
  const found = await Promise.all(chosen.map(async (script) => {
    const module = await import(pathToFileURL(join(folder, "scripts", `${script}.mjs`)));
    const runs = Object.entries(module.scripts ?? { "": module.default });
    if (!module.application || runs.some(([, run]) => typeof run !== "function")) {
      fail(`${script}.mjs must export \`application\` and a default function, or \`scripts\`: functions by their titles`);
    }
    const { application, alone = false, options = {} } = module;
    return runs.map(([title, run]) => ({ name: title === "" ? script : `${script}: ${title}`, file: script, title, run, application, alone, options }));
  }));
  return found.flat();
}

/** Scripts that share a host: those of one application with the same options, unless they must be alone. */
function groups(all) {
  const found = new Map();
  for (const script of all) {
    const key = script.alone ? script.name : `${script.application} ${JSON.stringify(script.options)}`;
    found.set(key, [...(found.get(key) ?? []), script]);
  }
  return [...found.values()];
}

/** Runs the scripts of one group on a host of its own. Returns a transcript for each, or the error that ended it. */
async function runGroup(group, hostName) {
  const { start } = await import(pathToFileURL(join(HERE, "hosts", `${hostName}.mjs`)));
  const [{ application, options, alone }] = group;
  // Below the packages, so that the application's imports find them.
  mkdirSync(join(packages, ".run"), { recursive: true });
  const place = mkdtempSync(join(packages, ".run", `${hostName}-`));
  const copy = join(place, application);
  const data = join(place, "data");
  const results = [];
  let host;
  try {
    cpSync(join(folder, "apps", application), copy, { recursive: true });
    const shared = join(folder, "apps/shared");
    if (existsSync(shared)) cpSync(shared, join(copy, "shared"), { recursive: true });
    mkdirSync(data);
    const built = join(copy, "build.mjs");
    if (existsSync(built)) await (await import(pathToFileURL(built))).default({ folder: copy, packages });
    host = await start({ folder: copy, data, packages, application, ...options });
    for (const script of group) results.push(await runScript(script, host, alone, place));
  } catch (error) {
    for (const script of group.slice(results.length)) results.push({ script, error });
  } finally {
    await host?.stop();
    rmSync(place, { recursive: true, force: true });
  }
  return results;
}

async function runScript(script, host, isAlone, place) {
  const isExact = oracle.exact === true;
  const t = new Script({ host, packages, headers: { names: oracle.headers, isExact }, isExact, WebSocket, isAlone });
  t.hide(place, "folder");
  t.hide(packages, "packages");
  let error;
  try {
    await within(script.run(t), `the end of ${script.name}`, PATIENCE);
  } catch (caught) {
    error = caught;
    t.steps.push({ step: "the script failed", message: String(caught.message) });
  } finally {
    t.end();
  }
  return { script, error, log: error && host.log(), steps: normal(t.steps, t.hidden) };
}

/** Runs everything on one host, some groups at a time. */
async function runAll(all, hostName) {
  const waiting = groups(all);
  const results = [];
  const lanes = Math.min(4, Math.max(2, availableParallelism()));
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (let group = waiting.shift(); group; group = waiting.shift()) results.push(...(await runGroup(group, hostName)));
  }));
  return new Map(results.map((result) => [result.script.name, result]));
}

/** What was recorded for a file of scripts: the steps of its only script, or those of each by its title. */
function recording(file) {
  return join(folder, "recorded", `${file}.json`);
}

function recorded({ file, title }) {
  if (!existsSync(recording(file))) return undefined;
  const steps = JSON.parse(readFileSync(recording(file), "utf8"));
  return title === "" ? steps : steps[title];
}

function describe(result) {
  const log = (result.log ?? "").split("\n").slice(-40).join("\n");
  return `${result.error.stack ?? result.error}\n${log}`;
}

function record(results) {
  let failed = 0;
  const files = new Map();
  for (const result of [...results.values()].sort((a, b) => (a.script.name < b.script.name ? -1 : 1))) {
    if (result.error) {
      failed += 1;
      console.error(`${result.script.name}: not recorded: ${describe(result)}`);
      continue;
    }
    const { file, title } = result.script;
    const lines = result.steps.map((step) => JSON.stringify(step));
    files.set(file, [...(files.get(file) ?? []), { title, text: `[\n${lines.join(",\n")}\n]` }]);
  }
  mkdirSync(join(folder, "recorded"), { recursive: true });
  for (const [file, of] of files) {
    const isAlone = of.length === 1 && of[0].title === "";
    const text = isAlone ? of[0].text : `{\n${of.map((it) => `${JSON.stringify(it.title)}: ${it.text}`).join(",\n")}\n}`;
    writeFileSync(recording(file), `${text}\n`);
  }
  console.log(`${results.size - failed} of ${results.size} scripts recorded with ${names.real}`);
  return failed;
}

function compare(all, real, ours) {
  const file = join(folder, "differences.json");
  const list = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  const unknown = wanted.length > 0 ? [] : list.filter((entry) => entry.script !== "*" && !all.some((script) => script.name === entry.script));
  for (const entry of unknown) console.error(`differences.json names ${entry.script}, which is no script`);
  let agreeing = 0;
  let meantCount = 0;
  for (const it of all) {
    const { name: script } = it;
    const our = ours.get(script);
    const their = real(it);
    if (their === undefined) {
      console.error(`${script}: there is no recording: run it with --record`);
      continue;
    }
    // A recording has null where a list has nothing.
    const steps = our.steps && JSON.parse(JSON.stringify(our.steps));
    const found = differences(their, steps ?? [{ step: "the host did not start", message: String(our.error) }]);
    const { unexpected, meant, unused } = judge(script, found, list);
    meantCount += meant.length;
    if (unexpected.length === 0 && unused.length === 0) {
      agreeing += 1;
      continue;
    }
    if (isListing) {
      for (const { step, field, ours: value } of unexpected) console.log(JSON.stringify({ script, step, field, ours: value, reason: "" }));
      continue;
    }
    console.error(`${script}: differs`);
    for (const difference of unexpected) console.error(show(difference, names));
    for (const entry of unused) console.error(`  ${entry.step}: ${entry.field}: no longer differs: remove it from differences.json`);
    if (our.error && our.log) console.error(`  the log of ${names.ours} ends so:\n${our.log.split("\n").slice(-15).join("\n")}`);
  }
  console.log(`${agreeing} of ${all.length} scripts agree with ${names.real}; ${meantCount} differences are meant`);
  return all.length - agreeing + unknown.length;
}

const all = await scripts();
let failures;
if (isRecording) {
  failures = record(await runAll(all, oracle.real));
} else if (isChecking) {
  failures = compare(all, recorded, await runAll(all, "liveline"));
} else {
  const real = await runAll(all, oracle.real);
  for (const result of real.values()) if (result.error) console.error(`${result.script.name} on ${names.real}: ${describe(result)}`);
  const ours = await runAll(all, "liveline");
  failures = compare(all, ({ name: script }) => real.get(script).steps, ours);
}
process.exit(failures === 0 ? 0 : 1);
