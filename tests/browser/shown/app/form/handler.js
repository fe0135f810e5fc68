export default async function (event, next) {
  if (next.stepname) return await next();
  if (event.request.method !== "POST") return { value: `found ${event.url.searchParams.get("q")}` };
  const form = await event.request.formData();
  return { value: `sent ${form.get("name")} by ${form.get("by")}` };
}
