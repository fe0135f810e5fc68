// Takes out of a transcript what differs from run to run: ports, times, identifiers.

const DAY = 86_400_000;

const PATTERNS = [
  [/\b(?:127\.0\.0\.1|localhost|\[::1\]):\d{2,5}\b/g, () => "<host>"],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, (text) => recent(text)],
  [/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, (text) => recent(text)],
  [/\b1[6-9]\d{11}\b/g, (number) => (isRecent(Number(number)) ? "<time>" : number)],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "uuid"],
  [/\b[0-9a-f]{64}\b/g, "id"],
  [/\b[0-9a-f]{32}\b/g, "key"],
];

function recent(text) {
  return isRecent(Date.parse(text)) ? "<time>" : text;
}

function isRecent(milliseconds) {
  return Math.abs(milliseconds - Date.now()) < DAY;
}

/**
 * A copy of a transcript. An identifier becomes `<id 1>`, `<id 2>` in the order of first appearance, so that it stays
 * visible which are equal. `hidden` maps further texts to the names that stand for them.
 */
export function normal(transcript, hidden = new Map()) {
  const numbers = new Map();
  const numbered = (kind) => (text) => {
    const key = `${kind} ${text}`;
    if (!numbers.has(key)) {
      const count = [...numbers.keys()].filter((it) => it.startsWith(`${kind} `)).length;
      numbers.set(key, `<${kind} ${count + 1}>`);
    }
    return numbers.get(key);
  };
  const text = (value) => {
    let result = value;
    for (const [found, name] of hidden) result = result.replaceAll(found, `<${name}>`);
    for (const [pattern, replacement] of PATTERNS) {
      result = result.replace(pattern, typeof replacement === "string" ? numbered(replacement) : replacement);
    }
    return result;
  };
  const any = (value) => {
    if (typeof value === "string") return text(value);
    if (typeof value === "number") return isRecent(value) ? "<time>" : value;
    if (Array.isArray(value)) return value.map(any);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [text(key), any(field)]));
  };
  return any(transcript);
}
