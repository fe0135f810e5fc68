import { LiveResponse } from '@webqit/webflo';

/** @type {import('@webqit/webflo').Handler} */
export default async function* (event) {
  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1500);

  yield { yielded: 'an object' };
  await new Promise((r) => setTimeout(r, pace));
  yield Response.json({ yielded: 'a Response' });
  await new Promise((r) => setTimeout(r, pace));
  yield new LiveResponse(null, { headers: { Location: '/done' } });
}
