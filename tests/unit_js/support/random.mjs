// Random numbers that come again: a test that fails names its seed.

export function random(seed) {
  let state = seed;
  // Any full-period generator does; the low bits of this kind are poor, so the high ones are used.
  const below = (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * count);
  };
  return { below, pick: (list) => list[below(list.length)] };
}
