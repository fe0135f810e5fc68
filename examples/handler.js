const EXAMPLES = {
  "/hello": "data in, JSON out",
  "/steps": "answer now, replace the answer later",
  "/progress": "a generator: every yield is a frame",
  "/replace": "a live response that is replaced by a timer",
  "/redirect": "POST: work first, then send the user on",
  "/confirm": "DELETE: ask the user in the middle of a request",
  "/posts": "a database query whose rows stay current",
  "/typescript": "the same in TypeScript",
};

/** Lists the examples; everything below the root answers for itself. */
export async function GET(event, next) {
  if (next.stepname) return await next();
  return EXAMPLES;
}

/** Other methods are for the examples alone. */
export default async function (event, next) {
  return await next();
}
