// Compares two transcripts, and holds what differs against the list of differences that are meant.

/** Every place where two transcripts differ: `{step, field, theirs, ours}`. */
export function differences(theirs, ours) {
  const found = [];
  const theirSteps = named(theirs);
  const ourSteps = named(ours);
  for (let at = 0; at < Math.max(theirSteps.length, ourSteps.length); at += 1) {
    const [their, our] = [theirSteps[at], ourSteps[at]];
    if (their?.name !== our?.name) {
      // What follows is shifted: one difference covers it.
      found.push({ step: their?.name ?? our.name, field: "", theirs: their?.step, ours: our?.step });
      break;
    }
    fields(their.step, our.step, "", (field, theirValue, ourValue) => {
      found.push({ step: their.name, field, theirs: theirValue, ours: ourValue });
    });
  }
  return found;
}

/** Steps with names that occur once: `GET /x`, `GET /x (2)`. */
function named(steps) {
  const counts = new Map();
  return steps.map(({ step: name, ...step }) => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return { name: count === 1 ? name : `${name} (${count})`, step };
  });
}

function fields(their, our, path, report) {
  if (Object.is(their, our)) return;
  const isObject = (value) => value !== null && typeof value === "object";
  if (!isObject(their) || !isObject(our) || Array.isArray(their) !== Array.isArray(our)) {
    report(path, their, our);
    return;
  }
  if (Array.isArray(their) && their.length !== our.length) {
    report(path, their, our);
    return;
  }
  for (const key of new Set([...Object.keys(their), ...Object.keys(our)])) {
    const place = Array.isArray(their) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    const at = (value) => (Object.hasOwn(value, key) ? value[key] : undefined);
    fields(at(their), at(our), place, report);
  }
}

/**
 * Splits differences into those that are `unexpected` and those that are `meant`, and lists the `unused` entries of
 * the list for this script. An entry has `script`, `step`, `field`, `ours` and `reason`; `ours` may be left out where
 * the text is different each time. A script or step of `*` stands for all of them.
 */
export function judge(script, found, list) {
  const entries = list.filter((entry) => entry.script === script || entry.script === "*");
  const used = new Set();
  const unexpected = [];
  const meant = [];
  for (const difference of found) {
    const entry = entries.find(
      (it) =>
        (it.step === difference.step || it.step === "*") &&
        it.field === difference.field &&
        (!("ours" in it) || JSON.stringify(it.ours) === JSON.stringify(difference.ours)),
    );
    if (entry) used.add(entry);
    (entry ? meant : unexpected).push(difference);
  }
  return { unexpected, meant, unused: entries.filter((entry) => entry.script !== "*" && !used.has(entry)) };
}

/** A difference as lines for a reader. */
export function show({ step, field, theirs, ours }, names) {
  const width = Math.max(names.real.length, names.ours.length);
  const texts = [theirs, ours].map((value) => (value === undefined ? "(nothing)" : JSON.stringify(value)));
  const from = Math.max(0, divergence(...texts) - BEFORE);
  const line = (name, text) => `    ${name.padEnd(width)}  ${clip(text, from)}`;
  return [`  ${step}${field === "" ? "" : `: ${field}`}`, line(names.real, texts[0]), line(names.ours, texts[1])].join("\n");
}

/** How much of two texts is shown before the place where they begin to differ, and in all. */
const [BEFORE, LENGTH] = [120, 600];

function divergence(a, b) {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

function clip(text, from) {
  if (text.length <= LENGTH) return text;
  const [head, tail] = [from === 0 ? "" : "... ", text.length > from + LENGTH ? ` ... (${text.length} characters)` : ""];
  return `${head}${text.slice(from, from + LENGTH)}${tail}`;
}
