export async function GET(event) {
  event.respondWith({ value: "asking" }, { done: false });
  const answer = await event.user.confirm({ message: "a question" });
  return { value: answer.data };
}
