export default async function (event, next) {
  if (next.stepname) return await next();
  return { value: `A ${event.request.method} ${event.url.search}`, list: "of A" };
}
