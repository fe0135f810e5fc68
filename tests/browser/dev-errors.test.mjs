// The dev loop, the pages' half: what open pages show when something fails.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answers, edited, isMarked, mark, mended, overlaid, page } from "./support/edited.mjs";

describe("errors in dev", { concurrency: 2 }, () => {
  it("code that does not load is shown over every page until it is mended", () => edited({
    "app/handler.js": answers("({ text: 'old' })"),
    "app/page.html": page('<p render="#text: data.text"></p><button id="below">below</button>'),
  }, async (site) => {
    const window = await site.open("/");
    await mark(window);
    site.write("app/handler.js", "export default () => {\n  const x = ;\n};\n");

    const [text] = await overlaid(window, "SyntaxError");
    for (const part of ["handler.js:2:", "const x = ;", "export default"]) assert.ok(text.includes(part), text);
    const later = await site.open("/");
    await overlaid(later, "SyntaxError");
    await later.shows("p", "old");
    await site.picture("overlay light");
    await later.page.emulateMedia({ colorScheme: "dark" });
    await site.picture("overlay dark");

    await window.page.keyboard.press("Escape");
    await mended(window);
    await later.page.getByRole("button", { name: "Close" }).click();
    await mended(later);
    // Closed it stays, until something else is wrong.
    site.write("app/handler.js", "export default () => {\n\n  const y = ;\n};\n");
    await overlaid(window, "const y = ;");
    await overlaid(later, "const y = ;");

    site.write("app/handler.js", answers("({ text: 'mended' })"));
    await Promise.all([mended(window), mended(later)]);
    await window.shows("p", "mended");
    assert.ok(await isMarked(window));
    assert.deepEqual(site.errors, []);
  }));

  it("errors of requests, of lines and of the page's code are shown with their source", () => edited({
    "app/handler.js": answers("({ text: 'root' })"),
    "app/page.html": page('<p render="#text: data.text"></p>'),
    "app/request/handler.ts": "type A = string;\nexport default (): A => {\n  throw new Error('in a request');\n};\n",
    "app/line/handler.js": "export default (event) => {\n  event.client.addEventListener('go', () => { throw new Error('on a line'); });\n  event.waitUntilNavigate();\n  return { text: 'line' };\n};\n",
    "app/client/handler.client.ts": "interface Answer { text: string }\n\nexport default (): Answer => {\n  setTimeout(later);\n  return { text: 'client' };\n};\n\nfunction later(): void {\n  throw new TypeError('in a client handler');\n}\n",
    "app/client/page.html": page('<p render="#text: data.text"></p>'),
    "app/rejects/page.html": page("<p>p</p>", '<script src="/rejects.js"></script>'),
    "public/rejects.js": "// A comment.\nPromise.reject(new RangeError('in a promise'));\n",
    "public/broken.html": page("<p>p</p>", "<script src='/broken.js'></script>"),
    "public/broken.js": "const fine = 1;\nconst broken = ;\n",
  }, async (site) => {
    const seen = async (path, text, ...parts) => {
      const window = await site.open(path);
      const sections = await overlaid(window, text);
      for (const part of parts) assert.ok(sections.some((section) => section.includes(part)), `${part} is not in ${sections}`);
      return window;
    };
    const request = await site.open("/");
    await request.page.evaluate(() => fetch("/request").then((answer) => answer.text()));
    const [text, ...more] = await overlaid(request, "in a request");
    assert.ok(text.includes("GET /request") && text.includes("handler.ts:3:9") && text.includes("throw new Error"), text);
    assert.deepEqual(more, []);

    const line = await site.open("/line");
    await line.connected();
    await line.says("go");
    await overlaid(line, "on a line");

    const client = await seen("/client", "in a client handler", "handler.client.ts:9:9", "throw new TypeError", "TypeError");
    await seen("/rejects", "in a promise", "public/rejects.js:2:16", "RangeError");
    const broken = await seen("/broken.html", "SyntaxError", "public/broken.js:2", "const broken = ;");
    await site.picture("overlay errors");

    site.write("public/broken.js", "const fine = 1;\n");
    await mended(broken);
    site.write("app/client/handler.client.ts", "export default () => ({ text: 'mended' });\n");
    await mended(client);
    await client.shows("p", "mended");
    site.write("app/request/handler.ts", "export default () => ({ text: 'mended' });\n");
    await mended(request);
    await overlaid(line, "on a line");
  }));

  it("a host that was started with broken code shows it and heals by the next save", () => edited({
    "app/handler.js": "export default () => {\n  const x = ;\n};\n",
    "app/page.html": page('<p render="#text: data.text"></p>'),
  }, async (site) => {
    const window = await site.open("/");
    await window.shows("h1", "SyntaxError: Unexpected token ';'");
    assert.equal(await window.page.locator("liveline-errors").count(), 0);
    await site.picture("started broken");
    site.write("app/handler.js", "export default () => {\n\n  const y = ;\n};\n");
    await window.page.waitForFunction(() => document.querySelector("pre")?.innerText.includes("const y = ;"));

    site.write("app/handler.js", answers("({ text: 'mended' })"));
    await window.shows("p", "mended");
  }));

  it("the page about a failed request reloads when the handler is mended", () => edited({
    "app/handler.js": "export default () => { throw new Error('thrown'); };",
    "app/page.html": page('<p render="#text: data.text"></p>'),
  }, async (site) => {
    const window = await site.open("/");
    await window.shows("h1", "Error: thrown");
    assert.equal(await window.page.locator("liveline-errors").count(), 0);

    site.write("app/handler.js", answers("({ text: 'mended' })"));
    await window.shows("p", "mended");
  }));

  it("a place opens the editor", () => edited({
    "app/handler.js": answers("({ text: 'old' })"),
    "app/page.html": page('<p render="#text: data.text"></p>'),
  }, async (site) => {
    const window = await site.open("/");
    site.write("app/handler.js", "export default () => {\n  const x = ;\n};\n");
    await overlaid(window, "SyntaxError");

    await window.page.getByRole("button", { name: /handler\.js:2:/ }).click();

    // The editor of this test is no program.
    await window.page.getByText("did not start").waitFor();
    assert.match(site.errors.join(), /status of 501/);
  }, { env: { LIVELINE_EDITOR: "/nowhere/editor" } }));
});
