// The script of pages in `liveline dev`, and only there: the host sends it every save and every error. A classic
// script, the first in the head of a page; see docs/development.md.

(() => {
  "use strict";

  const PATH = "/.liveline/dev";
  /** The pauses between two attempts to connect: the first, and the longest to which it doubles, in milliseconds. */
  const FIRST_PAUSE = 250;
  const MAX_PAUSE = 5000;
  /** The longest pause, in milliseconds, as long as no attempt has succeeded: a proxy may not let sockets pass. */
  const MAX_PAUSE_AT_FIRST = 60_000;
  /** How long the state that was kept for a reload may be restored, in milliseconds. */
  const KEPT_FOR = 30_000;
  /**
   * How long after a reload the script waits for fields and scroll positions that are not there yet, in milliseconds.
   */
  const RESTORE_FOR = 5000;
  /** The time after an error in which its answer has certainly arrived, in milliseconds. */
  const ANSWERED_AFTER = 1000;
  const KEPT = "liveline:dev";
  const BEHIND = "liveline:dev-behind";
  /** How often a page is reloaded that the host has answered with outdated code. */
  const MAX_LOADS = 4;

  if (globalThis[Symbol.for("liveline.dev")] !== undefined) return;
  globalThis[Symbol.for("liveline.dev")] = true;
  /** The run of the host that answered with this page, and the number of saves in that run before the answer. */
  const { run, saves, posted } = document.currentScript?.dataset ?? {};
  const known = { run, saves: Number(saves) };
  const isPosted = posted !== undefined;
  /** Resolves when the page is parsed, or after two seconds: a page that is streamed may have no end. */
  const parsed = new Promise((resolve) => {
    if (document.readyState !== "loading") return resolve();
    addEventListener("DOMContentLoaded", resolve, { once: true });
    setTimeout(resolve, 2000);
  });
  // By default the browser keeps the entries of only the first 250 files.
  performance.setResourceTimingBufferSize?.(10_000);

  // -- which saves concern this page ----------------------------------------------------------------------------------

  const segmentsOf = (path) => path.split("/").filter((segment) => segment !== "");

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  /** Whether requests for a path run the handlers of a route: the route is the path's own or one above it. */
  const covers = (pattern, path) => {
    const asked = segmentsOf(path).map(decoded);
    return segmentsOf(pattern).every((name, index) => {
      return index < asked.length && (name === "-" || name === asked[index]);
    });
  };

  /** The paths of all files that this page has loaded from its host. */
  const loaded = () => {
    const urls = performance.getEntriesByType("resource").map((entry) => entry.name);
    const own = urls.map((url) => URL.parse?.(url) ?? new URL(url)).filter((url) => url.origin === location.origin);
    return new Set(own.map((url) => url.pathname).filter((path) => !path.startsWith(`${PATH}/`)));
  };

  /** The paths of files that this page may be. */
  const ownFiles = () => {
    const path = location.pathname;
    return path.endsWith("/") ? [`${path}index.html`] : [path, `${path}/index.html`];
  };

  /** Whether a file, or a file in a folder, is among these paths. */
  const isAmong = (file, paths) => {
    const name = decoded(file);
    return [...paths].map(decoded).some((path) => path === name || path.startsWith(`${name}/`));
  };

  /** The effect of a save on this page: "reload", "state" to replace only its state, "worker", or null for none. */
  const effectOf = (what, styles) => {
    const path = location.pathname;
    const page = document.querySelector('meta[name="liveline-page"]')?.content;
    if (what.all || errorPage() !== null) return "reload";
    const paths = loaded();
    const asked = [path, ...[...paths].filter((other) => !other.startsWith("/.liveline/"))];
    // A page nearer to the path replaces the one that is shown.
    const isNearer = (pattern) => page === undefined || segmentsOf(pattern).length > segmentsOf(page).length;
    const isPage = (pattern) => pattern === page || (covers(decoded(pattern), path) && isNearer(pattern));
    if (what.pages.some(isPage)) return "reload";
    if (what.client.some((pattern) => covers(pattern, path))) return "reload";
    if (what.files.some((file) => !styles.has(file) && isAmong(file, [...paths, ...ownFiles()]))) return "reload";
    if (what.worker.some((pattern) => asked.some((path) => covers(pattern, path)))) return "worker";
    if (!what.server.some((pattern) => asked.some((path) => covers(pattern, path)))) return null;
    return hasApp() ? "state" : "reload";
  };

  /** If the page is the host's error page: "request", or "start" if no code has loaded yet; else null. */
  const errorPage = () => document.querySelector("main[data-liveline-error]")?.dataset.livelineError ?? null;

  /** Whether the page shows states, which can be replaced without reloading it. */
  const hasApp = () => {
    return globalThis.webqit?.app !== undefined && document.querySelector('meta[name="liveline-page"]') !== null;
  };

  // -- effects of a save ----------------------------------------------------------------------------------------------

  let isLeaving = false;
  /** Whether handlers of the browser were saved that this page has not run but may have loaded. */
  let isStale = false;

  async function saved(message) {
    const styles = await exchangeStyles(message.what.files.filter((file) => /\.css$/i.test(file)));
    const effect = effectOf(message.what, styles);
    isStale ||= message.what.client.length > 0;
    if (!message.keepsErrors) errors.saved = [];
    // The code of this page has changed, so its earlier errors no longer count.
    if (effect !== null) errors.server = errors.page = [];
    show();
    if (effect === "state") return await exchangeState();
    if (effect === "worker") await renewWorker();
    if (effect !== null) reload();
  }

  function reload() {
    if (isLeaving) return;
    isLeaving = true;
    keep();
    // A page that answers a form is requested by GET, so that the form is not sent again.
    if (isPosted) location.replace(location.pathname + location.search);
    else location.reload();
  }

  // Links of a stale page load whole documents, with the new handlers.
  globalThis.navigation?.addEventListener("navigate", (event) => {
    if (!isStale || event.hashChange || event.navigationType === "reload") return;
    if (event.navigationType === "traverse" && event.destination.sameDocument) {
      globalThis.navigation.addEventListener("navigatesuccess", reload, { once: true });
    } else if (event.userInitiated && event.formData === null && !event.destination.sameDocument) {
      event.stopImmediatePropagation();
    }
  });

  /** Requests the page's state anew from the new code, without a reload. That ends the old code's line. */
  async function exchangeState() {
    const [x, y] = [scrollX, scrollY];
    const focused = document.activeElement;
    const { href, hash } = location;
    try {
      // A URL with a fragment would only move within the page.
      await globalThis.webqit.app.navigate(href.slice(0, href.length - hash.length));
      await globalThis.navigation?.transition?.finished;
      if (hash !== "") location.replace(href);
    } catch {
      // The app reports its errors.
    }
    if (focused?.isConnected && document.activeElement !== focused) focused.focus?.({ preventScroll: true });
    // A navigation has scrolled to the top of the page.
    requestAnimationFrame(() => scrollTo({ left: x, top: y, behavior: "instant" }));
  }

  async function renewWorker() {
    const container = navigator.serviceWorker;
    const registration = await container?.getRegistration("/").catch(() => undefined);
    if (registration === undefined) return;
    await registration.update().catch(() => {});
    const worker = registration.installing ?? registration.waiting;
    if (worker === null || worker.state === "activated") return;
    await new Promise((resolve) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated" || worker.state === "redundant") resolve();
      });
    });
  }

  // -- styles ---------------------------------------------------------------------------------------------------------

  /** The document and all shadow roots. */
  function* roots(root = document) {
    yield root;
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot !== null) yield* roots(element.shadowRoot);
    }
  }

  /** Whether a style sheet is one of these files, or imports one, directly or indirectly. */
  function isMadeOf(sheet, files) {
    if (sheet === null) return false;
    if (sheet.href !== null && isFile(sheet.href, files)) return true;
    let rules;
    try {
      rules = [...sheet.cssRules];
    } catch {
      // Rules of other origins cannot be read.
      return false;
    }
    return rules.some((rule) => {
      if (!(rule instanceof CSSImportRule)) return false;
      return isFile(new URL(rule.href, sheet.href ?? document.baseURI), files) || isMadeOf(rule.styleSheet, files);
    });
  }

  function isFile(href, files) {
    const url = new URL(href, document.baseURI);
    return url.origin === location.origin && isAmongExactly(url.pathname, files);
  }

  const isAmongExactly = (path, files) => files.some((file) => decoded(file) === decoded(path));

  const withMark = (href) => {
    const url = new URL(href, document.baseURI);
    url.searchParams.set("liveline-dev", Date.now());
    return url.href;
  };

  /** Replaces style sheets in place. Resolves with the files among `files` that it has replaced. */
  async function exchangeStyles(files) {
    const known = new Set();
    if (files.length === 0) return known;
    const work = [];
    for (const root of roots()) {
      for (const link of root.querySelectorAll('link[rel~="stylesheet" i][href]')) {
        const own = files.filter((file) => isFile(link.href, [file]) || isMadeOf(link.sheet, [file]));
        own.forEach((file) => known.add(file));
        if (own.length > 0) work.push(() => exchangeLink(link));
      }
      for (const style of root.querySelectorAll("style")) {
        const own = files.filter((file) => isMadeOf(style.sheet, [file]));
        own.forEach((file) => known.add(file));
        if (own.length > 0) work.push(() => exchangeImports(style.sheet, own));
      }
    }
    if (work.length === 0) return known;
    // Imported files come from the browser's cache, which has to load them anew.
    const seen = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => isFile(name, files));
    await Promise.all([...new Set(seen)].map((url) => fetch(url, { cache: "reload" }).catch(() => {})));
    await Promise.all(work.map((exchange) => exchange()));
    return known;
  }

  /**
   * Inserts a new link behind the old one, which is removed when the new one has loaded, so that the page does not
   * flash.
   */
  function exchangeLink(link) {
    return new Promise((resolve) => {
      const fresh = link.cloneNode();
      fresh.href = withMark(link.href);
      const done = () => {
        link.remove();
        resolve();
      };
      fresh.addEventListener("load", done, { once: true });
      fresh.addEventListener("error", done, { once: true });
      link.after(fresh);
      // A disabled style sheet loads only when it is enabled.
      if (fresh.disabled) done();
    });
  }

  function exchangeImports(sheet, files) {
    [...sheet.cssRules].forEach((rule, index) => {
      if (!(rule instanceof CSSImportRule)) return;
      const url = new URL(rule.href, document.baseURI);
      if (!isFile(url, files) && !isMadeOf(rule.styleSheet, files)) return;
      const rest = rule.cssText.replace(/^@import\s+(?:url\((?:"[^"]*"|'[^']*'|[^)]*)\)|"[^"]*"|'[^']*')/i, "");
      sheet.insertRule(`@import url(${JSON.stringify(withMark(url))})${rest}`, index + 1);
      sheet.deleteRule(index);
    });
  }

  // -- state that is kept over a reload -------------------------------------------------------------------------------

  const FIELDS = "input, textarea, select";
  /** Types of fields that are not kept: secrets, files, and fields that users do not fill in. */
  const NOT_KEPT = new Set(["password", "file", "hidden", "submit", "button", "image", "reset"]);
  const SECRET = /(?:^|\s)(?:cc-|one-time-code|current-password|new-password)/;

  const isKept = (field) => !NOT_KEPT.has(field.type) && !SECRET.test(field.autocomplete ?? "");

  /** A key by which a field is found again: its id and name, and its index among the fields with the same ones. */
  function keyOf(field, counts) {
    const name = `${field.localName}|${field.type}|${field.id}|${field.name}|${field.form?.id ?? ""}`;
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return `${name}|${count}`;
  }

  function* fields() {
    const counts = new Map();
    for (const field of document.querySelectorAll(FIELDS)) {
      const key = keyOf(field, counts);
      if (isKept(field)) yield [key, field];
    }
  }

  /** The value to which the user has changed a field; undefined if it is unchanged. */
  function valueOf(field) {
    if (field.localName === "select") {
      const options = [...field.options];
      const isChanged = options.some((option) => option.selected !== option.defaultSelected);
      return isChanged ? options.map((option) => option.selected) : undefined;
    }
    if (field.type === "checkbox" || field.type === "radio") {
      return field.checked === field.defaultChecked ? undefined : field.checked;
    }
    return field.value === field.defaultValue ? undefined : field.value;
  }

  function setValue(field, value) {
    if (field.localName === "select") {
      [...field.options].forEach((option, index) => option.selected = value[index] ?? option.selected);
    } else if (typeof value === "boolean") field.checked = value;
    else field.value = value;
  }

  /** The elements that are scrolled, with their positions. */
  function* scrolled() {
    for (const element of document.querySelectorAll("[id]")) {
      if (element.scrollTop !== 0 || element.scrollLeft !== 0) {
        yield [element.id, element.scrollLeft, element.scrollTop];
      }
    }
  }

  function keep() {
    const kept = { url: location.href, at: Date.now(), scroll: [scrollX, scrollY], fields: [], inner: [...scrolled()] };
    for (const [key, field] of fields()) {
      const value = valueOf(field);
      const isFocused = field === document.activeElement;
      if (value === undefined && !isFocused) continue;
      let selection = null;
      try {
        selection = isFocused ? [field.selectionStart, field.selectionEnd] : null;
      } catch {
        // Fields of some types have no selection.
      }
      kept.fields.push({ key, value, isFocused, selection });
    }
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // Without session storage nothing is kept.
    }
  }

  function kept() {
    try {
      const text = sessionStorage.getItem(KEPT);
      sessionStorage.removeItem(KEPT);
      const kept = JSON.parse(text);
      return kept !== null && kept.url === location.href && Date.now() - kept.at < KEPT_FOR ? kept : null;
    } catch {
      return null;
    }
  }

  /** Restores the state of a page after a reload, also in elements that appear only with the page's state. */
  function restore() {
    const past = kept();
    if (past === null) return;
    const missing = new Map(past.fields.map((field) => [field.key, field]));
    let isScrolled = false;
    const [left, top] = past.scroll;
    const look = () => {
      for (const [key, field] of fields()) {
        const had = missing.get(key);
        if (had === undefined) continue;
        missing.delete(key);
        if (had.value !== undefined) setValue(field, had.value);
        if (!had.isFocused) continue;
        field.focus({ preventScroll: true });
        try {
          if (had.selection?.[0] != null) field.setSelectionRange(...had.selection);
        } catch {
          // Fields of some types have no selection.
        }
      }
      for (const [id, left, top] of past.inner) document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" });
      if (isScrolled) return;
      scrollTo({ left, top, behavior: "instant" });
      isScrolled = Math.abs(scrollY - top) < 2 && Math.abs(scrollX - left) < 2;
    };
    const stop = () => {
      clearTimeout(timer);
      observer.disconnect();
      for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"]) removeEventListener(kind, stop, true);
    };
    const observer = new MutationObserver(() => {
      look();
      if (isScrolled && missing.size === 0) stop();
    });
    const timer = setTimeout(stop, RESTORE_FOR);
    // An action of the user ends it.
    for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"]) addEventListener(kind, stop, true);
    const begin = () => {
      look();
      observer.observe(document.documentElement, { childList: true, subtree: true });
    };
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin, { once: true });
    else begin();
    addEventListener("load", look, { once: true });
  }

  // -- errors ---------------------------------------------------------------------------------------------------------

  /** Errors by source: of the saved code, of the server, and of the page's own code. */
  const errors = { saved: [], server: [], page: [] };
  let overlay = null;

  /** Whether an error of the server belongs to a request of this page. */
  function concerns({ path }, age) {
    // An error from before the page was requested belongs to another page.
    if (age > performance.now() + 2000) return false;
    return path === null || path === undefined || path === location.pathname || loaded().has(path);
  }

  function failed({ failure, age }, isLooked = false) {
    if (!concerns(failure, age)) {
      // A file counts as loaded only after its whole answer, so a second check follows.
      if (!isLooked) setTimeout(() => failed({ failure, age: age + ANSWERED_AFTER }, true), ANSWERED_AFTER);
      return;
    }
    if (errorPage() !== null) return;
    const { about, method, path, error } = failure;
    add("server", { ...error, about: method === null ? about : `${about}: ${method} ${path}` });
  }

  function add(list, error) {
    const isKnown = errors[list].some((known) => known.message === error.message && known.file === error.file
      && known.line === error.line && known.about === error.about);
    if (isKnown) return;
    errors[list] = [...errors[list], error].slice(-8);
    show(true);
  }

  function show(isNew = false) {
    const all = [...errors.saved, ...errors.server, ...errors.page];
    if (all.length === 0) {
      overlay?.close();
      overlay = null;
      return;
    }
    overlay ??= new Overlay();
    overlay.show(all, isNew);
  }

  /** The frames of a stack in any engine's format. */
  function framesOf(stack) {
    const frames = [];
    for (const line of String(stack ?? "").split("\n")) {
      const match = /^\s*(?:at\s+)?(?:(.*?)\s*[@(]\s*)?((?:https?|file):\/\/[^\s)]+?):(\d+):(\d+)\)?\s*$/.exec(line);
      if (match === null) continue;
      const [, name, url, row, column] = match;
      frames.push({ name: name?.replace(/^async\s+/, "") ?? "", url, line: Number(row), column: Number(column) });
    }
    return frames;
  }

  const isOfHost = (url) => /^\/(?:app\.m?js$|\.liveline\/(?:app|dev)\/)/.test(new URL(url).pathname);

  /** Shows an error of this page's code, with an excerpt of its source. */
  async function thrown(about, error, place) {
    const isError = error !== null && typeof error === "object" && "message" in error;
    const message = isError ? `${error.name ?? "Error"}: ${error.message}` : `${String(error)} was thrown`;
    let frames = framesOf(isError ? error.stack : "").filter(({ url }) => !isOfHost(url));
    if (frames.length === 0 && place?.url && !isOfHost(place.url)) frames = [{ name: "", ...place }];
    const isRendered = document.querySelector('meta[name="liveline-page"]') !== null;
    const asked = frames.slice(0, 16).map(({ url, line, column }) => {
      const { origin, pathname } = new URL(url);
      // The lines of a rendered page differ from those of its source.
      const isFile = origin === location.origin && !(isRendered && pathname === location.pathname);
      return { path: isFile ? pathname : "", line, column };
    });
    const sources = asked.length === 0 ? [] : await post("/source", { frames: asked }).then((answer) => answer.json()).catch(() => []);
    const shown = frames.map((frame, index) => ({ ...frame, source: sources[index] ?? null }));
    const first = shown.find(({ source }) => source !== null) ?? shown[0];
    const { file, line, column, excerpt } = first?.source ?? { file: first?.url, line: first?.line, column: first?.column };
    const stack = shown.filter((frame) => frame !== first).map(({ name, url, line, column, source }) => {
      const place = source === null ? `${url}:${line}:${column}` : `${source.file}:${source.line}:${source.column}`;
      return `at ${name || "<anonymous>"} (${place})`;
    });
    add("page", { about, message, file, line, column, excerpt, stack });
  }

  function post(path, body) {
    return fetch(PATH + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  addEventListener("error", (event) => {
    // A file that did not load has no ErrorEvent, and the console shows it.
    if (!(event instanceof ErrorEvent) || event.target !== window) return;
    // The browser reports this, although it is no error.
    if (/^ResizeObserver loop/.test(event.message)) return;
    // The browser hides errors of scripts from other origins.
    if (event.error == null && !event.filename) return;
    const place = event.filename ? { url: event.filename, line: event.lineno, column: event.colno } : null;
    thrown("in the page", event.error ?? { name: "Error", message: event.message }, place);
  });
  addEventListener("unhandledrejection", (event) => {
    // Other listeners may handle it.
    setTimeout(() => {
      if (!event.defaultPrevented && event.reason?.name !== "AbortError") thrown("in the page: a promise that nobody handles", event.reason);
    });
  });
  document.addEventListener("liveline:error", (event) => {
    setTimeout(() => {
      if (event.defaultPrevented) return;
      const { error } = event.detail ?? {};
      // A 4xx is an answer, and no error of the code.
      if (/^4\d\d\b/.test(error?.message)) return;
      // The server's own errors were received, with more details.
      const isShown = errors.server.length > 0 || errors.saved.length > 0;
      if (!isShown) setTimeout(() => errors.server.length === 0 && thrown("shown by the page", error), 200);
    });
  });

  // -- the overlay ----------------------------------------------------------------------------------------------------

  const STYLE = `
    :host { all: initial; position: fixed !important; inset: auto 0 0 0 !important; z-index: 2147483647 !important; display: block !important; margin: 0 !important; padding: 0 !important;
      border: 0 !important; width: auto !important; height: auto !important; max-width: none !important; max-height: 70vh !important; overflow: auto !important; color-scheme: light dark !important;
      background: light-dark(#fff, #1c1c1e) !important; color: light-dark(#1d1d1f, #f2f2f7) !important; border-top: 4px solid light-dark(#b3261e, #ff6f61) !important;
      box-shadow: 0 -8px 40px rgb(0 0 0 / 35%) !important; font: 15px/1.5 system-ui, sans-serif !important; }
    @media print { :host { display: none } }
    main { max-width: 62rem; margin: auto; padding: 1rem 1.5rem 1.5rem; box-sizing: border-box }
    header { display: flex; align-items: center; gap: 1rem; position: sticky; top: 0; background: inherit; padding: .25rem 0 }
    header { background: light-dark(#fff, #1c1c1e) }
    header b { flex: 1; color: light-dark(#b3261e, #ff8a80) }
    section + section { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid light-dark(#d2d2d7, #48484a) }
    small { color: light-dark(#6e6e73, #aeaeb2); font-size: 13px }
    h2 { margin: .15rem 0 .5rem; font-size: 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere }
    pre, code, .place { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 13px }
    pre { margin: .5rem 0; padding: .75rem; overflow: auto; border-radius: 8px; background: light-dark(#f5f5f7, #2c2c2e); tab-size: 4 }
    pre span { display: block; min-width: max-content }
    pre i { color: light-dark(#6e6e73, #98989d); font-style: normal; user-select: none }
    pre .here { background: light-dark(#fde8e6, #4a1f1c) }
    pre mark { background: none; color: light-dark(#b3261e, #ff8a80); text-decoration: underline wavy }
    ol { margin: .5rem 0 0; padding: 0; list-style: none; font-size: 13px; overflow-wrap: anywhere }
    .place { padding: 0; border: 0; background: none; color: light-dark(#0058b0, #6cb6ff); text-decoration: underline; text-align: start;
      cursor: pointer; overflow-wrap: anywhere }
    .close { border: 1px solid light-dark(#b0b0b5, #636366); border-radius: 8px; background: none; color: inherit; font: inherit;
      padding: .2rem .7rem; cursor: pointer }
    button:focus-visible { outline: 2px solid light-dark(#0058b0, #6cb6ff); outline-offset: 2px }
    .note { margin: .35rem 0 0; color: light-dark(#6e4b00, #ffd479) }
  `;

  const element = (name, { children = [], ...properties } = {}) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  /** Shows errors above the page, in a shadow tree. */
  class Overlay {
    #host = element("liveline-errors");
    #root = this.#host.attachShadow({ mode: "open" });
    #isClosed = false;

    constructor() {
      this.#root.adoptedStyleSheets = [sheet()];
      this.#host.setAttribute("role", "region");
      this.#host.setAttribute("aria-label", "Errors of the code");
      addEventListener("keydown", this.#onKey, true);
    }

    /** Shows these errors. If the user has closed the overlay, it stays closed until there is a new error. */
    show(errors, isNew) {
      if (isNew) this.#isClosed = false;
      if (this.#isClosed) return;
      const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
      const close = element("button", { type: "button", className: "close", textContent: "Close", title: "Close (Escape)" });
      close.addEventListener("click", () => this.#dismiss());
      const head = element("header", { children: [element("b", { textContent: `Liveline: ${count}` }), close] });
      head.firstChild.setAttribute("role", "alert");
      this.#root.replaceChildren(element("main", { children: [head, ...errors.map(sectionOf)] }));
      if (!this.#host.isConnected) document.documentElement.append(this.#host);
      // As a popover it is above dialogs of the page, too.
      if (this.#host.popover !== undefined) {
        this.#host.popover = "manual";
        try {
          this.#host.showPopover();
        } catch {
          // It is open already.
        }
      }
    }

    close() {
      removeEventListener("keydown", this.#onKey, true);
      this.#host.remove();
    }

    #dismiss() {
      this.#isClosed = true;
      this.#host.remove();
    }

    #onKey = (event) => {
      if (event.key !== "Escape" || !this.#host.isConnected) return;
      event.stopPropagation();
      event.preventDefault();
      this.#dismiss();
    };
  }

  let made = null;
  function sheet() {
    if (made === null) {
      made = new CSSStyleSheet();
      made.replaceSync(STYLE);
    }
    return made;
  }

  function sectionOf({ about = "The code as it was saved", message, help, file, line, column, excerpt, stack = [] }) {
    const where = about.charAt(0).toUpperCase() + about.slice(1);
    const children = [element("small", { textContent: where }), element("h2", { textContent: message })];
    if (file) {
      const place = [file, line, column].filter((part) => part != null).join(":");
      children.push(placeButton(place));
      if (excerpt?.length > 0) children.push(excerptOf(excerpt, line, column));
    }
    if (help !== undefined) children.push(element("p", { textContent: help }));
    if (stack.length > 0) children.push(element("ol", { children: stack.map(frameOf) }));
    return element("section", { children });
  }

  function excerptOf(lines, here, column) {
    const rows = lines.map(([number, text]) => {
      const row = element("span", { children: [element("i", { textContent: `${String(number).padStart(5)}  ` })] });
      if (number !== here) {
        row.append(text);
        return row;
      }
      row.className = "here";
      const letters = [...text];
      row.append(letters.slice(0, column - 1).join(""), element("mark", { textContent: letters.slice(column - 1).join("") || " " }));
      return row;
    });
    return element("pre", { tabIndex: 0, children: rows });
  }

  function frameOf(frame) {
    const [, before, place] = /^(.*\()([^()]+:\d+:\d+)\)$/.exec(frame) ?? [];
    const isFile = place !== undefined && !/^[a-z]+:\/\//.test(place);
    return element("li", { children: isFile ? [before, placeButton(place), ")"] : [frame] });
  }

  /** A button that opens the editor at a place. */
  function placeButton(place) {
    const button = element("button", { type: "button", className: "place", textContent: place });
    button.title = "Open in the editor";
    button.addEventListener("click", () => openEditor(place, button));
    return button;
  }

  async function openEditor(place, button) {
    const answer = await post("/open", { place }).catch((error) => ({ ok: false, text: async () => String(error) }));
    if (answer.ok) return;
    const note = element("p", { className: "note", textContent: await answer.text() });
    note.setAttribute("role", "status");
    if (button.nextElementSibling?.className === "note") button.nextElementSibling.remove();
    button.after(note);
  }

  // Places in the host's error page open the editor as well.
  addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll("main[data-liveline-error] [data-liveline-place]")) {
      const button = element("button", { type: "button", className: "place", textContent: place.dataset.livelinePlace });
      button.title = "Open in the editor";
      button.addEventListener("click", () => openEditor(place.dataset.livelinePlace, button));
      place.replaceChildren(button);
    }
  });

  // -- the socket -----------------------------------------------------------------------------------------------------

  let socket = null;
  let pause = FIRST_PAUSE;
  let hasConnected = false;
  let timer = null;

  function connect() {
    if (socket !== null) return;
    const own = socket = new WebSocket(Object.assign(new URL(PATH, location.href), { protocol: location.protocol === "https:" ? "wss:" : "ws:", search: "", hash: "" }));
    own.addEventListener("message", ({ data }) => parsed.then(() => socket === own && receive(JSON.parse(data))));
    own.addEventListener("close", () => {
      if (socket !== own) return;
      socket = null;
      timer = setTimeout(connect, pause);
      pause = Math.min(2 * pause, hasConnected ? MAX_PAUSE : MAX_PAUSE_AT_FIRST);
    });
  }

  function disconnect() {
    clearTimeout(timer);
    const own = socket;
    socket = null;
    own?.close();
  }

  function receive(message) {
    switch (message.type) {
      case "hello":
        return greeted(message);
      case "broken":
        return errorPage() === "start" ? reload() : isBroken(message.errors);
      case "saved":
        known.saves = message.saves;
        return saved(message);
      case "failure":
        return failed(message);
    }
  }

  function greeted({ run, saves, errors: broken, failures }) {
    pause = FIRST_PAUSE;
    hasConnected = true;
    // The page missed saves, and it is unknown which.
    const wait = pauseBeforeReload(run, saves);
    if (wait === 0) return reload();
    if (wait !== null) setTimeout(reload, wait);
    failures.forEach((failure) => failed(failure));
    isBroken(broken);
  }

  /**
   * The pause before a page with outdated code is reloaded, in milliseconds; null if it is not reloaded. A page that is
   * outdated after a reload came either from a cache, and another reload would not help, or from the host, on a
   * connection that still used the old code.
   */
  function pauseBeforeReload(run, saves) {
    const own = `${known.run} ${known.saves}`;
    const isNow = run === known.run && saves === known.saves;
    Object.assign(known, { run, saves });
    try {
      const [of, count] = JSON.parse(sessionStorage.getItem(BEHIND)) ?? [];
      const loads = of === own ? count : 0;
      if (isNow) sessionStorage.removeItem(BEHIND);
      else sessionStorage.setItem(BEHIND, JSON.stringify([own, loads + 1]));
      if (isNow || (loads > 0 && (loads > MAX_LOADS || !isFromHost()))) return null;
      return loads === 0 ? 0 : FIRST_PAUSE * 2 ** loads;
    } catch {
      // Without session storage reloads cannot be counted, and might never end.
      return null;
    }
  }

  /** Whether this page came from the host, not from the browser's cache or a service worker. */
  function isFromHost() {
    const [entry] = performance.getEntriesByType("navigation");
    return entry !== undefined && entry.workerStart === 0 && entry.transferSize > 0;
  }

  function isBroken(broken) {
    // The host's error page shows these errors itself.
    const isShown = errorPage() === "start";
    const isChanged = JSON.stringify(broken) !== JSON.stringify(errors.saved);
    errors.saved = isShown ? [] : broken;
    show(isChanged && broken.length > 0);
  }

  // An open socket would keep the browser from storing the page in its back/forward cache.
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => {
    if (event.persisted) connect();
  });
  addEventListener("online", connect);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible" || socket !== null) return;
    clearTimeout(timer);
    connect();
  });
  restore();
  connect();
})();
