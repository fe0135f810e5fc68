// Which clicks and submissions are the app's, with stand-ins for the few parts of the DOM that this looks at.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { linkTarget } from "../../runtime-js/client/classic.js";
import { formMove, isWithinPage, navigateMove, pageAt } from "../../runtime-js/client/navigation.js";

const HERE = new URL("http://app.example/a/b?q=1");

function element(localName, attributes = {}) {
  return {
    localName,
    baseURI: HERE.href,
    hasAttribute: (name) => Object.hasOwn(attributes, name),
    getAttribute: (name) => attributes[name] ?? null,
  };
}

function click(attributes, event = {}) {
  const link = element("a", attributes);
  return { button: 0, defaultPrevented: false, composedPath: () => [element("span"), link], ...event };
}

describe("a click on a link", () => {
  test("within_the_app_is_taken", () => {
    assert.equal(linkTarget(click({ href: "c" }), HERE).href, "http://app.example/a/c");
    assert.equal(linkTarget(click({ href: "/x", target: "_self" }), HERE).pathname, "/x");
  });

  test("that_the_browser_has_a_meaning_for_is_left_alone", () => {
    const left = [
      click({ href: "https://elsewhere.example/" }),
      click({ href: "/x", target: "_blank" }),
      click({ href: "/x", download: "" }),
      click({ href: "/x", "webflo-no-intercept": "" }),
      click({ href: "/.liveline/app/handlers.js" }),
      click({}),
      click({ href: "/x" }, { button: 1 }),
      click({ href: "/x" }, { ctrlKey: true }),
      click({ href: "/x" }, { metaKey: true }),
      click({ href: "/x" }, { defaultPrevented: true }),
    ];
    for (const event of left) assert.equal(linkTarget(event, HERE), null);
  });

  test("to_another_place_of_the_page_is_no_request", () => {
    assert.ok(isWithinPage(new URL("#there", HERE), HERE));
    assert.ok(!isWithinPage(new URL("?q=2#there", HERE), HERE));
    assert.ok(!isWithinPage(new URL(HERE), HERE));
  });
});

describe("a submitted form", () => {
  // Node's FormData takes no form.
  const submit = (form, fields, submitter = null) => {
    const { FormData } = globalThis;
    globalThis.FormData = class extends FormData {
      constructor() {
        super();
        for (const [name, value] of fields) this.append(name, value);
      }
    };
    try {
      return formMove(element("form", form), submitter && element("button", submitter), HERE);
    } finally {
      globalThis.FormData = FormData;
    }
  };

  test("with_GET_puts_its_fields_into_the_query", () => {
    const { url, init } = submit({ action: "/search?old=1#x" }, [["q", "a b"], ["n", "1"]]);
    assert.equal(url.href, "http://app.example/search?q=a+b&n=1");
    assert.deepEqual(init, {});
  });

  test("with_another_method_sends_them", () => {
    const { url, init } = submit({ method: "post" }, [["q", "1"]]);
    assert.equal(url.href, HERE.href);
    assert.equal(init.method, "POST");
    assert.equal(String(init.body), "q=1");
    assert.equal(submit({ method: "delete" }, []).init.method, "DELETE");
  });

  test("with_files_sends_them_as_they_are", () => {
    const { init } = submit({ method: "post" }, [["file", new File(["x"], "x.txt")]]);
    assert.ok(init.body instanceof FormData);
  });

  test("does_what_its_button_says", () => {
    const button = { formaction: "/other", formmethod: "PUT" };
    const { url, init } = submit({ action: "/x", method: "post" }, [], button);
    assert.equal(url.pathname, "/other");
    assert.equal(init.method, "PUT");
  });

  test("that_the_browser_has_a_meaning_for_is_left_alone", () => {
    for (
      const form of [
        { action: "https://elsewhere.example/" },
        { target: "_blank" },
        { method: "dialog" },
        { "webflo-no-intercept": "" },
      ]
    ) {
      assert.equal(submit(form, []), null);
    }
  });
});

describe("a move through the history", () => {
  const event = (changes) => ({
    canIntercept: true,
    hashChange: false,
    downloadRequest: null,
    formData: null,
    navigationType: "push",
    destination: { url: "http://app.example/x" },
    ...changes,
  });

  test("within_the_app_is_taken", () => {
    assert.equal(navigateMove(event({}), HERE).url.pathname, "/x");
    assert.equal(navigateMove(event({ navigationType: "traverse" }), HERE).url.pathname, "/x");
    const formData = new FormData();
    assert.deepEqual(navigateMove(event({ formData }), HERE).init, { method: "POST", body: formData });
  });

  test("that_the_browser_has_a_meaning_for_is_left_alone", () => {
    const left = [
      { canIntercept: false },
      { hashChange: true },
      { downloadRequest: "x" },
      { navigationType: "reload" },
      { destination: { url: "https://elsewhere.example/" } },
      { sourceElement: element("a", { "webflo-no-intercept": "" }) },
    ];
    for (const changes of left) assert.equal(navigateMove(event(changes), HERE), null);
  });
});

describe("a redirect", () => {
  test("leads_to_pages_and_to_no_code", () => {
    assert.equal(pageAt("../x", HERE).href, "http://app.example/x");
    assert.equal(pageAt("https://elsewhere.example/", HERE).hostname, "elsewhere.example");
    for (const code of ["javascript:alert(1)", " JAVA\nSCRIPT:alert(1)", "javascript://elsewhere.example/%0aalert(1)"]) {
      assert.throws(() => pageAt(code, HERE), /is code/);
    }
  });
});
