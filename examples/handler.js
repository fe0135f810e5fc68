import { EXAMPLES } from './examples.js';

/**
 * Lists the examples; everything below the root answers for itself.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event, next) {
  if (next.stepname) return await next();
  return { examples: EXAMPLES };
}

/**
 * Other methods are for the examples alone.
 * @type {import('@webqit/webflo').Handler}
 */
export default async function (event, next) {
  return await next();
}
