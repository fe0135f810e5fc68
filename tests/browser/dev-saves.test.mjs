// The dev loop, the pages' half: what open pages do when something is saved.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answers, edited, isMarked, mark, overlaid, page, reloaded } from "./support/edited.mjs";

const style = (window, selector, property) => {
  return window.page.evaluate(([it, property]) => getComputedStyle(document.querySelector(it))[property], [selector, property]);
};
const styled = (window, selector, property, value) => {
  const isIt = ([it, property, value]) => getComputedStyle(document.querySelector(it))[property] === value;
  return window.page.waitForFunction(isIt, [selector, property, value]);
};
const RED = "rgb(255, 0, 0)";
const GREEN = "rgb(0, 128, 0)";

const FORM = page(`<h1>old</h1>
  <form><input name="text"><textarea name="long"></textarea><input type="password" name="password" autocomplete="new-password">
  <input name="card" autocomplete="cc-number"><input type="checkbox" name="check"><select name="select"><option>a<option>b</select></form>
  <ul render="#items: (row) of data?.rows / 'row'"><template def="row"><li><input name="row"></li></template></ul>
  <div style="height: 4000px"></div>`);

describe("saves in dev", { concurrency: 2 }, () => {
  it("style sheets are exchanged in place, imported ones too", () => edited({
    "app/handler.js": answers("({})"),
    "app/page.html": page("<p>p</p><b>b</b><i>i</i><u>u</u>", `<link rel="stylesheet" href="/one.css"><link rel="stylesheet" href="/two.css?v=1">
      <style>@import url("/deep/inline.css") screen; u { margin: 0 }</style>`),
    "public/one.css": "p { color: red }",
    "public/two.css": "@import 'deep/imported.css';",
    "public/deep/imported.css": "@import 'more.css';",
    "public/deep/more.css": "b { color: red }",
    "public/deep/inline.css": "u { color: red }",
    "public/unused.css": "i { color: red }",
  }, async (site) => {
    const window = await site.open("/");
    await styled(window, "p", "color", RED);
    await styled(window, "b", "color", RED);
    await styled(window, "u", "color", RED);
    await mark(window);
    // Never without a style: what is there between is red or green.
    await window.page.evaluate(() => {
      globalThis.flashes = [];
      const look = () => {
        const { color } = getComputedStyle(document.querySelector("p"));
        if (color === "rgb(0, 0, 0)") globalThis.flashes.push(color);
        requestAnimationFrame(look);
      };
      look();
    });

    site.write("public/one.css", "p { color: green }");
    await styled(window, "p", "color", GREEN);
    site.write("public/deep/more.css", "b { color: green }");
    await styled(window, "b", "color", GREEN);
    site.write("public/deep/inline.css", "u { color: green }");
    await styled(window, "u", "color", GREEN);
    site.write("public/one.css", "p { color: red }");
    await styled(window, "p", "color", RED);
    site.write("public/unused.css", "i { color: green }");
    site.write("public/two.css", "i { color: green }");
    await styled(window, "i", "color", GREEN);

    assert.ok(await isMarked(window));
    assert.deepEqual(await window.page.evaluate(() => globalThis.flashes), []);
    assert.equal(await window.page.locator("link[rel=stylesheet]").count(), 2);
    assert.deepEqual(site.errors, []);
  }));

  it("a saved page reloads and keeps scroll, fields and focus, but no secrets", () => edited({
    "app/handler.js": answers("({ rows: [1, 2, 3] })"),
    "app/page.html": FORM,
    "app/other/handler.js": answers("({ rows: [] })"),
    "app/other/page.html": page("<h1>other</h1>"),
  }, async (site) => {
    const [window, other] = [await site.open("/"), await site.open("/other")];
    await window.page.fill("[name=text]", "Ada");
    await window.page.fill("textarea", "two\nlines");
    await window.page.fill("[type=password]", "secret");
    await window.page.fill("[autocomplete=cc-number]", "4242");
    await window.page.check("[type=checkbox]");
    await window.page.selectOption("select", "b");
    await window.page.locator("[data-key='1'] input").fill("of a row");
    await window.page.focus("[name=text]");
    await window.page.evaluate(() => scrollTo(0, 1234));
    await Promise.all([mark(window), mark(other)]);

    site.write("app/page.html", FORM.replace("<h1>old", "<h1>new"));
    await reloaded(window);

    await window.shows("h1", "new");
    await window.page.waitForFunction(() => scrollY === 1234);
    await window.page.waitForFunction(() => document.querySelector("[data-key='1'] input")?.value === "of a row");
    const values = await window.page.evaluate(() => ["[name=text]", "textarea", "[type=password]", "[autocomplete=cc-number]", "select"].map((it) => document.querySelector(it).value));
    assert.deepEqual(values, ["Ada", "two\nlines", "", "", "b"]);
    assert.ok(await window.page.isChecked("[type=checkbox]"));
    assert.equal(await window.page.evaluate(() => document.activeElement.name), "text");
    assert.ok(await isMarked(other));
    assert.equal(await window.page.evaluate(() => sessionStorage.length), 0);
    // Once more by hand: nothing is left of it.
    await window.page.reload();
    assert.equal(await window.page.inputValue("[name=text]"), "");
  }));

  it("a saved handler exchanges the state in place, and only where it is asked", () => edited({
    "app/handler.js": "export default (event, next) => next.stepname ? next() : ({ text: 'root' });",
    "app/page.html": page('<h1 render="#text: data.text">-</h1><input name="field"><div style="height: 3000px"></div>'),
    "app/a/handler.js": "import { text } from './lib.js'; export default (event) => { event.waitUntilNavigate(); return { text }; };",
    "app/a/lib.js": "export const text = 'old';",
    "app/b/handler.js": "export default () => ({ text: 'b' });",
  }, async (site) => {
    const [a, b] = [await site.open("/a"), await site.open("/b")];
    await a.shows("h1", "old");
    await a.connected();
    await a.page.fill("input", "kept");
    await a.page.evaluate(() => scrollTo(0, 700));
    await Promise.all([mark(a), mark(b)]);
    const states = b.states.length;

    site.write("app/a/lib.js", "export const text = 'new';");

    await a.shows("h1", "new");
    await a.page.waitForFunction(() => scrollY === 700);
    assert.equal(await a.page.inputValue("input"), "kept");
    assert.ok(await isMarked(a) && await isMarked(b));
    await a.connected();
    assert.equal(await a.page.evaluate(() => history.length), 2);

    // An address with a fragment is the same page.
    await a.page.evaluate(() => location.hash = "here");
    site.write("app/a/lib.js", "export const text = 'newer';");
    await a.shows("h1", "newer");
    await a.at("/a#here");

    site.write("app/handler.js", "export default (event, next) => next.stepname ? next() : ({ text: 'new root' });");
    await b.until(() => b.states.length > states, () => "the state of /b did not come anew");
    assert.ok(await isMarked(a) && await isMarked(b));
    assert.deepEqual(site.errors, []);
  }));

  it("pages without the app, client handlers and files reload what is affected", () => edited({
    "app/html/handler.js": "export default () => new Response('<p>old</p>', { headers: { 'Content-Type': 'text/html' } });",
    "app/client/handler.js": answers("({ text: 'server' })"),
    "app/client/handler.client.js": "import { text } from './text.js'; export default () => ({ text });",
    "app/client/text.js": "export const text = 'old';",
    "app/client/page.html": page('<p render="#text: data.text"></p>'),
    "app/loads/handler.js": answers("({})"),
    "app/loads/page.html": page("<p></p>", '<script type="module" src="/lib/main.js"></script>'),
    "public/lib/main.js": "import { text } from './part.js'; document.querySelector('p').textContent = text;",
    "public/lib/part.js": "export const text = 'old';",
    "public/file.html": page("<p>old</p><img src='/picture.svg' alt=''>"),
    "public/picture.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
  }, async (site) => {
    const windows = await Promise.all(["/html", "/client", "/loads", "/file.html"].map((path) => site.open(path)));
    const [html, client, loads, file] = windows;
    for (const window of windows) await window.shows("p", "old");
    const others = async (changed) => {
      await reloaded(changed);
      await changed.followed();
      await changed.shows("p", "new");
      for (const window of windows) assert.equal(await isMarked(window), window !== changed, `${window.path} beside ${changed.path}`);
      await mark(changed);
    };
    await Promise.all(windows.map(mark));

    site.write("app/html/handler.js", "export default () => new Response('<p>new</p>', { headers: { 'Content-Type': 'text/html' } });");
    await others(html);
    site.write("app/client/text.js", "export const text = 'new';");
    await others(client);
    site.write("public/lib/part.js", "export const text = 'new';");
    await others(loads);
    site.write("public/file.html", page("<p>new</p><img src='/picture.svg' alt=''>"));
    await others(file);
    site.write("public/picture.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="1"/>');
    await reloaded(file);
    assert.ok(await isMarked(html) && await isMarked(loads));
  }));

  it("a saved worker handler is what answers after the reload", () => edited({
    "app/handler.worker.js": answers("({ text: 'old' })"),
    "app/handler.js": answers("({ text: 'server' })"),
    "app/page.html": page('<p render="#text: data.text"></p>'),
  }, async (site) => {
    const window = await site.open("/");
    await window.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    const asked = () => window.page.evaluate(() => fetch("/", { headers: { accept: "application/json" } }).then((it) => it.json()));
    assert.deepEqual(await asked(), { text: "old" });
    await mark(window);

    site.write("app/handler.worker.js", answers("({ text: 'new' })"));

    await reloaded(window);
    await window.page.waitForFunction(async () => {
      const answer = await fetch("/", { headers: { accept: "application/json" } });
      return (await answer.json()).text === "new";
    });
  }));

  it("links lead to client handlers that were saved elsewhere meanwhile", () => edited({
    "app/handler.js": answers("({ text: 'root' })"),
    "app/page.html": page('<p render="#text: data.text"></p><a href="/b">b</a>'),
    "app/b/handler.js": answers("({ text: 'server' })"),
  }, async (site) => {
    const window = await site.open("/");
    await window.shows("p", "root");
    await mark(window);
    site.write("app/b/handler.client.js", "export default () => ({ text: 'client' });");
    await site.host.says("reloaded in");
    // What was saved before has come when this has.
    site.write("app/handler.js", answers("({ text: 'new' })"));
    await window.shows("p", "new");
    assert.ok(await isMarked(window));

    await window.page.click("a");

    await window.shows("p", "client");
  }));

  it("what a form was answered with is not sent again", () => edited({
    "app/handler.js": `let posts = 0;
      const html = (text) => new Response("<!doctype html><p>" + text + "</p><form method=post><button>Post</button></form>", { headers: { "Content-Type": "text/html" } });
      export const GET = () => html("old got " + posts);
      export const POST = () => html("old posted " + ++posts);`,
  }, async (site) => {
    const window = await site.open("/");
    await window.page.click("button");
    await window.shows("p", "old posted 1");
    await window.followed();

    site.write("app/handler.js", `
      const html = (text) => new Response("<!doctype html><p>" + text, { headers: { "Content-Type": "text/html" } });
      export const GET = () => html("new got");
      export const POST = () => html("new posted");`);

    await window.shows("p", "new got");
  }));

  it("a page loads once for a save, also from the browser's store", () => edited({
    "app/handler.js": answers("({})"),
    "public/file.html": page("<p>old</p>"),
    "public/other.css": "p {}",
  }, async (site) => {
    const window = await site.open("/file.html");
    const loads = [];
    window.page.on("request", (request) => request.isNavigationRequest() && loads.push(request.url()));
    site.write("public/other.css", "p { color: red }");
    site.write("public/file.html", page("<p>new</p>"));
    await window.shows("p", "new");
    await window.goto("/file.html");
    await window.followed();
    // What comes after it has come when this has.
    site.write("public/file.html", page("<p>last</p>"));
    await window.shows("p", "last");

    assert.ok(loads.length <= 4, loads.join());
  }));

  it("pages come back to a host that was started again", () => edited({
    "app/handler.js": answers("({ text: 'old' })"),
    "app/page.html": page('<p render="#text: data.text"></p><input name="field">'),
  }, async (site) => {
    const window = await site.open("/");
    await window.page.fill("input", "kept");
    await mark(window);
    await site.restart();

    await reloaded(window);
    await window.followed();
    await window.page.waitForFunction(() => document.querySelector("input").value === "kept");
    await mark(window);
    site.write("app/handler.js", answers("({ text: 'new' })"));
    await window.shows("p", "new");
    assert.ok(await isMarked(window));
  }));

  it("pages with a strict policy hear of saves, too", () => edited({
    "app/handler.js": `export default (event, next) => new Response("<!doctype html><p>old</p><script nonce=abc>globalThis.own = 1</script>", { headers: {
      "Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; require-trusted-types-for 'script'" } });`,
    "public/meta.html": page("<p>old</p>", `<meta http-equiv="Content-Security-Policy" content="script-src 'none'">`),
  }, async (site) => {
    const [window, meta] = [await site.open("/"), await site.open("/meta.html")];
    await window.shows("p", "old");
    assert.equal(await window.page.evaluate(() => globalThis.own), 1);

    site.write("app/handler.js", "export default () => {");
    await overlaid(window, "SyntaxError");
    assert.equal(await style(window, "liveline-errors", "position"), "fixed");
    site.write("app/handler.js", "export default () => new Response('<p>new</p>', { headers: { 'Content-Type': 'text/html' } });");
    await window.shows("p", "new");
    site.write("public/meta.html", page("<p>new</p>"));
    await meta.shows("p", "new");
    assert.deepEqual(site.errors, []);
  }));

  it("many tabs of one browser starve nobody", () => edited({
    "app/handler.js": answers("({ text: 'old' })"),
    "app/page.html": page('<p render="#text: data.text"></p>'),
  }, async (site) => {
    const first = await site.open("/");
    const context = first.page.context();
    const tabs = [first.page];
    for (let n = 0; n < 11; n++) {
      const tab = await context.newPage();
      await tab.goto(site.host.url);
      tabs.push(tab);
    }
    site.write("app/handler.js", answers("({ text: 'new' })"));
    for (const tab of tabs) await tab.waitForFunction(() => document.querySelector("p").textContent === "new");
  }));
});
