// Records, as tests of the observer compare them.

/** Collects what an observer is told. */
export function log() {
  const calls = [];
  const callback = (told) => {
    calls.push(told);
  };
  return { calls, callback, flat: () => calls.flat() };
}

/** The fields of records that a test is about. */
export function pick(records, ...fields) {
  return records.map((record) => Object.fromEntries(fields.map((field) => [field, record[field]])));
}

export function joined(records) {
  return records.map(({ type, path, value }) => `${type} ${path.join(".")} ${JSON.stringify(value)}`);
}

export const throwsRangeOrType = (error) => error instanceof RangeError || error instanceof TypeError;
