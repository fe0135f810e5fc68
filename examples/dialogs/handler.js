export function GET() {
  return { greeting: 'Nobody was greeted yet.' };
}

/** @type {import('@webqit/webflo').Handler} */
export async function POST(event) {
  const name = await event.user.prompt({ message: 'What is your name?' });
  if (!name.data) return { greeting: 'You would rather not say.' };

  const sure = await event.user.confirm({ message: `Shall we greet ${name.data}?` });
  return { greeting: sure.data === true ? `Hello, ${name.data}!` : `${name.data} prefers silence.` };
}
