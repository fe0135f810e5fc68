import { EXAMPLES } from '../../examples.js';

/**
 * The text of an example's files: those that `examples.js` names, and no others.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event, next) {
  const example = EXAMPLES.find(({ path }) => path === `/${this.stepname}`);
  if (next.stepname || !example) return await next();

  const files = example.files.map(async (name) => {
    const { default: text } = await import(`../..${example.path}/${name}`, { with: { type: 'text' } });
    return { name: name.replace('../', ''), text };
  });
  return { path: example.path, files: await Promise.all(files) };
}
