import superjson from "superjson";

export default () => {
  const copy = superjson.parse(superjson.stringify({ at: new Date(0), set: new Set([1]), big: 10n ** 20n, none: undefined }));
  return { at: copy.at instanceof Date, set: [...copy.set], big: String(copy.big), hasNone: "none" in copy };
};
