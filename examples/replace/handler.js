import { LiveResponse } from '@webqit/webflo';

export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const res = LiveResponse.from({ step: 1 }, { done: false });
  setTimeout(() => res.replaceWith({ step: 2 }), 200);

  return res;
}
