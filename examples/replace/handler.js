import { LiveResponse } from '@webqit/webflo';

/** @type {import('@webqit/webflo').Handler} */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 2000);

  const res = LiveResponse.from({ step: 1 }, { done: false });
  setTimeout(() => res.replaceWith({ step: 2 }), pace);

  return res;
}
