/** @type {import('@webqit/webflo').Handler} */
export async function DELETE(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const message = 'This item will be permanently deleted. Are you sure?';
  const answer = await event.user.confirm({ message });
  if (answer?.data === true) {
    // proceed
  }

  return Response.json({ ok: true });
}
