// What a cookie may be, and what sets one in a page.

import assert from "node:assert/strict";
import test from "node:test";

import { PageCookies } from "../../runtime-js/client/storage.js";
import { cookieToDelete, cookieToSet } from "../../runtime-js/cookies/rules.js";

/** A document with cookies as browsers keep them: by name, for ever. */
function page(cookie = "") {
  const written = [];
  globalThis.document = {
    get cookie() {
      return cookie;
    },
    set cookie(text) {
      written.push(text);
    },
  };
  return { cookies: new PageCookies(), written };
}

test("a cookie is by the rules, however it is said", () => {
  const plain = cookieToSet("a", "b");
  assert.deepEqual(cookieToSet("a", { value: "b" }), plain);
  assert.deepEqual(cookieToSet({ name: "a", value: "b" }), plain);
  assert.deepEqual(cookieToSet("a", "b", {}), plain);
  assert.deepEqual(cookieToSet("a", "b", { domain: null, expires: undefined }), plain);
  assert.equal(plain.path, "/");
  assert.equal(plain.sameSite, "Lax");
  assert.throws(() => cookieToSet("a", "\ud800"), TypeError);
  assert.throws(() => cookieToSet("a", "b", { secured: true }), /has no "secured"/);
});

test("what is deleted is said as it was set, but for its value and time", () => {
  const { value, maxAge, expires } = cookieToDelete({ name: "__Host-a", value: "x", maxAge: 9, expires: "2030-01-01" });
  assert.deepEqual([value, maxAge, expires], ["", 0, undefined]);
  assert.equal(cookieToDelete("__Secure-a").secure, true);
});

test("a page writes and reads cookies as a server does", async () => {
  const { cookies, written } = page('a=1; b="2"; c=%C3%BC; a=3; d=100%; nothing');
  assert.deepEqual(await cookies.json(), { a: "1", b: "2", c: "\u00fc", d: "100%" });
  assert.deepEqual(await cookies.getAll("a"), [{ name: "a", value: "1" }]);
  await cookies.set("x", "\u00fc;", { maxAge: 9, expires: 0, domain: "example.org", path: "/p" });
  await cookies.set({ name: "__Host-y", value: 1, partitioned: true });
  assert.equal(await cookies.delete("a"), true);
  assert.equal(await cookies.delete({ name: "gone", path: "/p" }), false);
  assert.deepEqual(written, [
    "x=%C3%BC%3B; SameSite=Lax; Path=/p; Domain=example.org; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "__Host-y=1; SameSite=None; Path=/; Secure; Partitioned",
    "a=; SameSite=Lax; Path=/; Max-Age=0",
    "gone=; SameSite=Lax; Path=/p; Max-Age=0",
  ]);
  await assert.rejects(cookies.set("h", { value: "1", httpOnly: true }), /httpOnly/);
});
