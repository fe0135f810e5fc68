/** How often it ran, by method. */
const runs = {};

export default async function (event, next) {
  if (next.stepname === "runs") return runs;
  if (next.stepname) return await next();
  const { method } = event.request;
  runs[method] = (runs[method] ?? 0) + 1;
  return { value: `B ${method}` };
}
