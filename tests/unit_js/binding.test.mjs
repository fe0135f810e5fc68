// The `render` attributes of pages: expressions, directives, lists. The document is the server's; what differs in
// a browser is tested there.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { PageElement } from "../../runtime-js/page/document.js";
import { expression, splitOutside } from "../../runtime-js/page/expressions.js";
import { reporter, View } from "../../runtime-js/page/binding.js";
import { Observer } from "../../runtime-js/observer/observer.js";
import { startBinding } from "../../runtime-js/client/binding.js";

const scopeOf = (names, outer = null) => ({ names, outer });

/** Evaluates with `data` parsed from JSON, as it comes. */
function evaluate(source, data = {}) {
  return expression(source)(scopeOf({ data: typeof data === "string" ? JSON.parse(data) : data }));
}

describe("an expression", () => {
  test("computes_as_javascript_does", () => {
    const data = { a: { b: [1, 2, { c: "x" }] }, n: 3.14159, s: "Hi", zero: 0, no: null };
    for (
      const source of [
        "1 + 2 * 3 - 8 / 4 % 3", "(1 + 2) * 3", "-data.n < 0", "!data.no", "+'3' + 1", "'a' + 1", "1.5e2 + .5",
        "data.a.b[2].c", "data['a']['b'].length", "data.a.b[data.zero]", "data?.x?.y.z", "data.no?.[1]", "data.x",
        "data.zero || 'or'", "data.zero ?? 'or'", "data.no ?? 'or'", "data.zero && 'and'", "data.s === 'Hi' ? 1 : 2",
        "data.s ? data.no ? 1 : 2 : 3", "1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", "1 == '1'", "1 != 2", "1 !== 1",
        "typeof data.x", "typeof data.s", "[1, data.s, [2]]", "[]", "`a${data.s}b${1 + 1}`", "`${`n${1}`}\\``",
        "'it\\'s'", '"\\u0041\\x42\\u{43}\\n"', "true", "null", "undefined", "NaN",
        "data.n.toFixed(2)", "data.a.b.slice(0, 2).join(' - ')", "data.s.toUpperCase()", "data.s.split('').length",
        "' x '.trim()", "data.a.b.includes(2)", "data.a?.b?.at(-3)", "data.s[0]", "data.s.length", "true.toString()",
        "data.a.b.indexOf(2) === 1",
      ]
    ) {
      // The reference: the same source, by the engine.
      assert.deepEqual(evaluate(source, data), new Function("data", `return (${source})`)(data), source);
    }
  });

  test("sees_its_scope_and_what_is_around_it", () => {
    const scope = scopeOf({ m: 1 }, scopeOf({ m: 2, data: 3 }));
    assert.deepEqual(expression("[m, data, other]")(scope), [1, 3, undefined]);
  });

  test("reaches_nothing_but_data", () => {
    for (
      const source of [
        "globalThis", "constructor", "toString", "process", "data.constructor", "data['constructor']", "data.__proto__",
        "data.toString", "data.list.constructor", "data.list.push", "data.text.constructor", "data.text['__proto__']",
        "data.n.constructor", "data.list['__proto__']", "data.f", "''.constructor",
      ]
    ) {
      const data = { list: [1], text: "t", n: 1, f: () => "called" };
      assert.equal(evaluate(source, data), undefined, source);
    }
  });

  test("calls_only_what_is_listed", () => {
    for (
      const [source, message] of [
        ["data.f()", /cannot be called on an object/],
        ["data.text.constructor('return 1')", /`constructor\(\)`/],
        ["data.list.push(1)", /cannot be called on an array/],
        ["data.list.map(1)", /`map\(\)`/],
        ["data.text.valueOf()", /string/],
        ["data.text.__defineGetter__('a', 1)", /string/],
        ["data.nothing.trim()", /undefined/],
        ["data.list['concat']['call']()", /undefined/],
      ]
    ) {
      const data = { list: [1], text: "t", f: () => "called" };
      assert.throws(() => evaluate(source, data), { name: "TypeError", message }, source);
    }
  });

  test("own_key_named_like_a_prototype_is_only_data", () => {
    assert.deepEqual(evaluate("data.__proto__.x", '{"__proto__":{"x":1}}'), 1);
    assert.equal({}.x, undefined);
  });

  test("of_nothing_says_what_is_missing", () => {
    assert.throws(() => evaluate("data.a.b"), /there is no `b` of undefined/);
    assert.throws(() => evaluate("data.a.b.c", { a: { b: null } }), /there is no `c` of null/);
  });

  test("that_is_none_is_a_syntax_error_with_its_place", () => {
    for (const source of ["", "1 +", "a b", "(1", "[1", "a.", "a..b", "a = 1", "a => 1", "x++", "{a: 1}", "`a", "`${a`", "'a", "#", "a ? b"]) {
      assert.throws(() => expression(source), { name: "SyntaxError" }, source);
    }
    assert.throws(() => expression("a = 1"), /The expression `a = 1` cannot be read: `=` is not expected/);
  });

  test("split_outside_of_quotes_and_brackets", () => {
    assert.deepEqual(splitOutside("a; b(';'); '\\';' ; `;`", ";"), ["a", " b(';')", " '\\';' ", " `;`"]);
  });
});

const li = (render) => ["li", [["class", "m"], ["render", render]], ["x"]];
const list = (render, item, ...more) => ["ul", [["render", render]], [["template", [["def", "m"]], [item]], ...more]];

/** A page, rendered again and again. */
class Page {
  errors = [];

  constructor(...pieces) {
    this.root = new PageElement(["body", [], pieces], null);
    const report = reporter((binding, error) => this.errors.push(`${binding}: ${error.message}`));
    this.view = new View(this.root, report);
  }

  /** The HTML with `data`. */
  render(data) {
    this.view.update(scopeOf({ data }));
    return this.html();
  }

  html() {
    let html = "";
    this.root.writeContent({ text: (text) => html += text });
    return html;
  }
}

/** What one directive makes of `<p>`. */
function p(render, data) {
  const page = new Page(["p", [["render", render]], ["before"]]);
  const html = page.render(data).replace(/ render="[^"]*"/, "");
  return page.errors.length === 0 ? html : page.errors;
}

describe("a directive", () => {
  test("text_is_escaped", () => {
    assert.equal(p("#text: data", "<script>&\u00a0\"</script>"), "<p>&lt;script&gt;&amp;&nbsp;&quot;&lt;/script&gt;</p>");
    assert.equal(p("#text: data", null), "<p></p>");
    assert.equal(p("#text: data", 0), "<p>0</p>");
    assert.equal(p("#text: data", { a: [1] }), "<p>{&quot;a&quot;:[1]}</p>");
  });

  test("html_is_what_the_page_trusts", () => {
    assert.equal(p("#html: data", "<b>1</b>"), "<p><b>1</b></p>");
  });

  test("attribute_is_set_escaped_and_removed", () => {
    assert.equal(p("~title: data", `"><script>`), `<p title="&quot;&gt;&lt;script&gt;">before</p>`);
    assert.equal(p("~title: data", null), "<p>before</p>");
    assert.equal(p("~?hidden: data", 1), `<p hidden="">before</p>`);
    assert.equal(p("~?hidden: data", 0), "<p>before</p>");
    assert.equal(p("~aria-busy: data", false), `<p aria-busy="false">before</p>`);
  });

  test("class_and_style_join_what_is_there", () => {
    const page = new Page(["p", [["class", "a b"], ["style", "top: 0;"], ["render", "%b: data; %c: !data; &fontSize: data"]], []]);
    assert.match(page.render(""), /class="a c" style="top: 0;"/);
    assert.match(p("&fontSize: data; &--x: 1", "2px"), /style="font-size: 2px; --x: 1"/);
  });

  test("style_value_is_one_declaration", () => {
    for (const value of ["red; position: fixed", "red}", "red/*", "\\3b"]) assert.equal(p("&color: data", value), "<p>before</p>");
  });

  test("code_cannot_be_bound", () => {
    for (const render of ["~onclick: data", "~?onfocus: data", "~srcdoc: data", "~ONLOAD: data"]) {
      assert.match(p(render, "x")[0], /would be code/, render);
    }
    for (const address of ["javascript:alert(1)", " JAVAscript:1", "java\nscript:1", "\x01javascript:1"]) {
      assert.match(p("~href: data", address)[0], /is a script/, address);
    }
    assert.equal(p("~href: data", "/javascript:"), `<p href="/javascript:">before</p>`);
    const page = new Page(["style", [["render", "#text: data"]], []]);
    assert.match(page.render("</style>"), /><\/style>$/);
    assert.match(page.errors[0], /would be code/);
  });

  test("unknown_one_is_named_and_the_others_work", () => {
    for (const render of ["@click: data", "$focus: data", "#nothing: 1", "text: 1", "#text", "~a b: 1", "~render: 1", "~: 1"]) {
      assert.equal(p(render, 1).length, 1, render);
    }
    const page = new Page(["p", [["render", "@click: data; ~title: data"]], []]);
    assert.match(page.render(1), /title="1"/);
    assert.match(page.errors[0], /<p render="@click: data">: `@click` is no binding/);
  });

  test("error_is_told_once_and_shows_as_nothing", () => {
    const page = new Page(["p", [["render", "#text: data.a.b"]], ["before"]]);
    assert.match(page.render({ a: { b: 1 } }), />1<\/p>/);
    assert.match(page.render({}), /><\/p>/);
    page.render({});
    assert.deepEqual(page.errors, ['<p render="#text: data.a.b">: there is no `b` of undefined']);
  });
});

describe("a list", () => {
  const items = (html) => [...html.matchAll(/<li class="m"[^>]*data-key="([^"]*)"[^>]*>([^<]*)<\/li>/g)].map(([, key, text]) => [key, text]);

  /** The list's elements with their texts, as they stand. */
  const elements = (page) => page.root.children[0].children.filter((child) => child.localName === "li");

  test("makes_an_element_for_each_item", () => {
    const page = new Page(list("#items: (m, i) of data / 'm'", li("#text: i + m")));
    assert.deepEqual(items(page.render(["a", "b"])), [["0", "0a"], ["1", "1b"]]);
    assert.deepEqual(items(page.render([])), []);
    assert.deepEqual(items(page.render(null)), []);
    assert.deepEqual(page.errors, []);
  });

  test("append_keeps_the_other_elements", () => {
    const page = new Page(list("#items: (m) of data / 'm'", li("#text: m")));
    page.render(["a", "b"]);
    const before = elements(page);
    let touched = 0;
    const ul = page.root.children[0];
    const insertBefore = ul.insertBefore.bind(ul);
    ul.insertBefore = (...list) => (touched++, insertBefore(...list));
    page.render(["a", "b", "c"]);
    assert.equal(touched, 1);
    assert.deepEqual(elements(page).slice(0, 2).map((element, i) => element === before[i]), [true, true]);
  });

  test("elements_follow_the_ids_of_their_items", () => {
    const page = new Page(list("#items: m of data / 'm'", li("#text: m.text")));
    const of = (ids) => [...ids].map((id) => ({ id, text: id.toUpperCase() }));
    page.render(of("abc"));
    const known = new Map(elements(page).map((element) => [element.getAttribute("data-key"), element]));
    for (const ids of ["cab", "xcab", "b", "abxc", "cxba", "", "ab", "aa"]) {
      const shown = items(page.render(of(ids)));
      assert.deepEqual(shown.map(([, text]) => text).join(""), ids.toUpperCase(), ids);
      if (ids === "xcab") for (const e of elements(page).slice(1)) assert.equal(e, known.get(e.getAttribute("data-key")));
    }
    assert.deepEqual(items(page.render(of("aa"))).map(([key]) => key), ["id:a", "id:a~1"]);
    assert.deepEqual(page.errors, []);
  });

  test("random_orders_end_as_asked", () => {
    const page = new Page(list("#items: m of data / 'm'", li("#text: m.id")));
    let seed = 7;
    const random = (n) => (seed = seed * 1103515245 + 12345 & 0x7fffffff) % n;
    for (let round = 0; round < 300; round++) {
      const ids = [...new Set(Array.from({ length: random(9) }, () => random(9)))];
      assert.deepEqual(items(page.render(ids.map((id) => ({ id })))).map(([, text]) => Number(text)), ids);
    }
  });

  test("elements_of_the_server_are_adopted", () => {
    const rendered = (key) => ["li", [["class", "m"], ["render", "#text: m"], ["data-key", key]], ["old"]];
    const page = new Page(list("#items: (m) of data / 'm'", li("#text: m"), rendered("0"), rendered("1"), rendered("2")));
    const before = elements(page);
    assert.deepEqual(items(page.render(["a", "b"])), [["0", "a"], ["1", "b"]]);
    assert.deepEqual(elements(page), before.slice(0, 2));
  });

  test("lists_in_lists_see_what_is_around_them", () => {
    const inner = list("#items: (c) of m.list / 'm'", li("#text: data.sign + m.name + c"));
    const page = new Page(["ol", [["render", "#items: (m) of data.all / 'row'"]], [["template", [["def", "row"]], [["div", [], [inner]]]]]]);
    const html = page.render({ sign: "#", all: [{ name: "a", list: [1, 2] }, { name: "b", list: [3] }] });
    assert.deepEqual(items(html).map(([, text]) => text), ["#a1", "#a2", "#b3"]);
    assert.deepEqual(page.errors, []);
  });

  test("of_an_object_has_key_value_and_index", () => {
    const page = new Page(list("#items: (k, v, i) in data / 'm'", li("#text: `${k}=${v}@${i}`")));
    assert.deepEqual(items(page.render({ a: 1, b: 2 })).map(([, text]) => text), ["a=1@0", "b=2@1"]);
  });

  test("template_is_found_in_the_nearest_place_or_the_head", () => {
    const head = ["head", [], [["template", [["def", "m"]], [["li", [["class", "m"]], ["far"]]]]]];
    const page = new Page(head, ["ul", [["render", "#items: (m) of data / 'm'"]], []]);
    assert.deepEqual(items(page.render([1])), [["0", "far"]]);
  });

  test("what_is_no_list_and_no_template_is_told", () => {
    for (
      const [render, data, message] of [
        ["#items: (m) of data / 'm'", "text", /no list/],
        ["#items: (m) of data / 'other'", [1], /there is no <template def="other">/],
        ["#items: (m) of data", [1], /is written/],
        ["#items: data / 'm'", [1], /is written/],
        ["#items: (m n) of data / 'm'", [1], /is written/],
      ]
    ) {
      const page = new Page(list(render, li("#text: m")));
      assert.deepEqual(items(page.render(data)), []);
      assert.match(page.errors.join(), message, render);
    }
  });

  test("hostile_items_stay_text", () => {
    const page = new Page(list("#items: (m) of data / 'm'", li("#text: m.id; ~title: m.id")));
    const html = page.render(JSON.parse('[{"id":"\\"><script>"},{"__proto__":{"id":"p"}},{"id":"__proto__"}]'));
    assert.ok(!html.includes("<script"), html);
    assert.match(html, /data-key="id:&quot;&gt;&lt;script&gt;"/);
    assert.match(html, /data-key="id:__proto__"/);
  });
});

describe("a started binding", () => {
  /** A document with a list, and how often it was written to. */
  function documentOf(bindings) {
    const page = new Page(list("#items: (m) of data / 'm'", li("#text: m")));
    const listeners = new Set();
    return {
      documentElement: page.root,
      defaultView: {},
      bindings,
      addEventListener: (_, listener) => listeners.add(listener),
      removeEventListener: (_, listener) => listeners.delete(listener),
      announce: () => listeners.forEach((listener) => listener()),
      shown: () => [...page.html().matchAll(/<li[^>]*data-key[^>]*>([^<]*)/g)].map(([, text]) => text).join(),
    };
  }

  test("renders_once_for_all_changes_of_a_turn_and_stops", async () => {
    const document = documentOf({ data: ["a"] });
    const binding = startBinding(document);
    await null;
    assert.equal(document.shown(), "a");
    Observer.proxy(document.bindings.data).push("b");
    Observer.proxy(document.bindings.data).push("c");
    assert.equal(document.shown(), "a");
    await null;
    assert.equal(document.shown(), "a,b,c");
    Observer.set(document.bindings, "data", ["d"]);
    await null;
    assert.equal(document.shown(), "d");
    binding.stop();
    Observer.set(document.bindings, "data", []);
    await null;
    assert.equal(document.shown(), "d");
  });

  test("leaves_the_page_as_it_is_until_there_is_a_state", async () => {
    const document = documentOf({});
    startBinding(document);
    await null;
    assert.equal(document.shown(), "");
    document.bindings.data = ["a"];
    document.announce();
    await null;
    assert.equal(document.shown(), "a");
  });

  test("sees_elements_that_were_added_after_a_refresh", async () => {
    const document = documentOf({ data: ["a"] });
    const binding = startBinding(document);
    const added = new PageElement(["p", [["render", "~title: data.length"]], []], null);
    document.documentElement.insertBefore(added, null);
    await null;
    assert.equal(added.getAttribute("title"), null);
    binding.refresh();
    await null;
    assert.equal(added.getAttribute("title"), "1");
  });

  test("stands_back_where_the_page_brings_oohtml", async () => {
    const document = { ...documentOf({ data: ["a"] }), defaultView: { webqit: { oohtml: {} } } };
    startBinding(document);
    await null;
    assert.equal(document.shown(), "");
  });
});
