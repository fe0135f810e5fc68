import { LiveResponse } from '@webqit/webflo';

export default async function* (event) {
  yield { yielded: 'an object' };
  await new Promise((r) => setTimeout(r, 700));
  yield Response.json({ yielded: 'a Response' });
  await new Promise((r) => setTimeout(r, 700));
  yield new LiveResponse(null, { headers: { Location: '/done' } });
}
