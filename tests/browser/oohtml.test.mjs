// Pages as OOHTML has them: the same document, shown by OOHTML itself in Chromium and by the host. What differs only in
// how it is written is brought into one form first.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { connect } from "./support/browser.mjs";
import { folderWith } from "./support/folder.mjs";
import { explain, startHost } from "./support/host.mjs";
import { PATIENCE } from "./support/patience.mjs";
import { DOCUMENTS } from "./support/oohtml_documents.mjs";

const OOHTML = await readFile(new URL("node_modules/@webqit/oohtml/dist/main.js", import.meta.url), "utf8");

/** The document as a file. `script` is how it gets OOHTML. */
const pageOf = ({ head = "", body }, script = "") => `<!DOCTYPE html><html><head><meta charset="utf-8">${script}${head}</head><body>${body}</body></html>`;

/** The files of a project as Webflo's `init` makes it. */
const WEBFLO = {
  "package.json": `{ "type": "module", "dependencies": { "@webqit/webflo": "*" } }`,
  "app/handler.server.js": `export default async function (event, next) {
    if (next.stepname) return await next();
    const isAgain = event.url.search !== "";
    const menu = [{ title: "Home", href: "/" }, ...(isAgain ? [{ title: "Second", href: "/2" }] : [])];
    return { title: isAgain ? "Again" : "Webflo Web", greeting: "Hello World!", menu };
  }`,
  "app/page.html": `<ul render="#items: (item) of data?.menu / 'menu'"><template def="menu" scoped="">
    <li><a render="~href: item?.href; #text: item?.title;"></a></li></template></ul>`,
  "public/index.html": `<!DOCTYPE html><html lang="en-US"><head><meta charset="UTF-8">
    <title render="#text: data?.titleBar || data?.title">APP_TITLE</title>
    <script crossorigin ssr src="https://unpkg.com/@webqit/oohtml@latest/dist/main.lite.js"></script>
    <template def="app" ssr src="/assets/app.html" by="oohtml-cli"></template>
    <script type="module" src="/assets/app.js" by="webflo"></script></head>
    <body importscontext="/app"><h1><span><?{ data.title }?></span><br><span><?{ data.greeting }?></span></h1>
    <import ref="#page.html">Import will show here...</import></body></html>`,
};

/** One form of what a body shows. Runs in a browser. */
function shown(body) {
  const copy = body.cloneNode(true);
  for (const gone of copy.querySelectorAll("script, style, template")) gone.remove();
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_COMMENT);
  const comments = [];
  while (walker.nextNode()) comments.push(walker.currentNode);
  for (const comment of comments) comment.remove();
  copy.normalize();
  for (const element of copy.querySelectorAll("*")) {
    if (element.hasAttribute("style")) element.setAttribute("style", element.style.cssText);
    const attributes = [...element.attributes].map(({ name, value }) => [name, value]).sort();
    for (const [name] of attributes) element.removeAttribute(name);
    // Which names an item has, and what is a copy of which fragment, is for OOHTML's own use.
    for (const [name, value] of attributes) if (!["bindings", "data-nodecount", "def", "importscontext", "data-key"].includes(name)) element.setAttribute(name, value);
  }
  return copy.innerHTML.replace(/\s+/g, " ");
}

/** Waits until OOHTML has nothing more to do: until two frames in a row have changed nothing. Runs in a browser. */
async function settled() {
  let isChanged = false;
  const observer = new MutationObserver(() => isChanged = true);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (let still = 0; still < 2;) {
    isChanged = false;
    await new Promise(requestAnimationFrame);
    still = isChanged ? 0 : still + 1;
  }
  observer.disconnect();
}

const withoutEmpty = (html) => html.replaceAll(/ [-\w]+=""/g, "");

describe("OOHTML", { concurrency: 1 }, () => {
  let browser, host, page;
  const names = Object.keys(DOCUMENTS);
  const routeOf = (name) => `/d${names.indexOf(name)}`;

  before(async () => {
    const files = { "public/oohtml.js": OOHTML, "public/empty.txt": "" };
    for (const name of names) {
      const { states } = DOCUMENTS[name];
      for (const [kind, script] of [["own", ""], ["brought", `<script src="/oohtml.js"></script>`]]) {
        const route = `app${routeOf(name)}/${kind}`;
        files[`${route}/page.html`] = pageOf(DOCUMENTS[name], script);
        files[`${route}/handler.js`] = `const states = ${JSON.stringify(states)};
          export default ({ url }) => states[Number(url.searchParams.get("n") ?? 0)];`;
      }
    }
    [browser, host] = await Promise.all([connect(), startHost(folderWith(files))]);
    page = await browser.newPage();
    await page.addInitScript(`globalThis.shown = ${shown}; globalThis.settled = ${settled};`);
  });

  after(async () => {
    await browser?.close();
    await host?.stop();
  });

  /** What OOHTML alone makes of each state, in the browser. */
  async function byOohtml(name) {
    const html = pageOf(DOCUMENTS[name], `<script src="/oohtml.js"></script>`);
    await page.route("**/oracle", (route) => route.fulfill({ contentType: "text/html", body: html }));
    await page.goto(`${host.url}/oracle`);
    const list = [];
    for (const data of DOCUMENTS[name].states) {
      list.push(await page.evaluate(async (data) => {
        document.bind({ data }, { diff: true });
        await settled();
        return shown(document.body);
      }, data));
    }
    await page.unroute("**/oracle");
    return list;
  }

  /** What the server sends for each state. */
  async function byServer(route, states) {
    await page.goto(`${host.url}/empty.txt`);
    return await page.evaluate(async ([route, count]) => {
      const list = [];
      for (let n = 0; n < count; n++) {
        const answer = await fetch(`${route}?n=${n}`, { headers: { Accept: "text/html" } });
        list.push(shown(new DOMParser().parseFromString(await answer.text(), "text/html").body));
      }
      return list;
    }, [route, states.length]);
  }

  /** What `read` gives in the page: what is expected as soon as it is there, else what there is in the end. */
  async function becomes(read, expected) {
    const end = Date.now() + PATIENCE;
    while (true) {
      const value = await page.evaluate(read);
      if (isDeepStrictEqual(value, expected) || Date.now() > end) return value;
      await page.evaluate(settled);
    }
  }

  /** What the page shows in a browser while it goes from one state to the next. `form` is how it is compared. */
  async function byPage(route, expected, form = (html) => html) {
    const list = [];
    for (const n of expected.keys()) {
      if (n === 0) await page.goto(`${host.url}${route}`);
      else await page.evaluate((url) => webqit.app.navigate(url), `${route}?n=${n}`);
      list.push(await becomes(`(${form})(shown(document.body))`, expected[n]));
    }
    return list;
  }

  for (const way of ["with OOHTML", "without OOHTML"]) {
    it(`a project of Webflo's init, ${way}`, async () => {
      const webflo = await startHost(folderWith(WEBFLO));
      const run = async () => {
        const body = way === "with OOHTML" ? OOHTML : "";
        const headers = { "Access-Control-Allow-Origin": "*" };
        await page.route("https://unpkg.com/**", (route) => route.fulfill({ contentType: "text/javascript", body, headers }));
        await page.goto(webflo.url);
        const looks = () => [document.title, ...document.body.innerText.split("\n").filter((line) => line !== "")];
        const first = ["Webflo Web", "Webflo Web", "Hello World!", "Home"];
        assert.deepEqual(await becomes(looks, first), first);
        await page.evaluate(() => webqit.app.navigate("/?again"));
        const second = ["Again", "Again", "Hello World!", "Home", "Second"];
        assert.deepEqual(await becomes(looks, second), second);
      };
      try {
        await explain(run, () => [webflo]);
      } finally {
        await webflo.stop();
      }
    });
  }

  for (const name of names) {
    it(name, () => explain(async () => {
      const { states } = DOCUMENTS[name];
      const expected = await byOohtml(name);
      const route = routeOf(name);
      assert.deepEqual(await byServer(`${route}/brought`, states), expected, "the server's HTML");
      assert.deepEqual(await byPage(`${route}/brought`, expected), expected, "OOHTML goes on with the server's HTML");
      if (DOCUMENTS[name].isOohtmls) return;
      // Without OOHTML an attribute without a value is none.
      const list = expected.map(withoutEmpty);
      assert.deepEqual((await byServer(`${route}/own`, states)).map(withoutEmpty), list, "the server's HTML, without OOHTML");
      assert.deepEqual(await byPage(`${route}/own`, list, withoutEmpty), list, "the page, without OOHTML");
    }, () => [host]));
  }
});
