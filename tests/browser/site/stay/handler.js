export default async function (event, next) {
  if (next.stepname) return await next();
  event.client.addEventListener("navigate", (e) => console.error(`went to ${e.data.pathname} by ${e.data.method}`));
  event.signal.addEventListener("abort", () => console.error("aborted"));
  event.waitUntilNavigate();
  return { value: "staying" };
}
