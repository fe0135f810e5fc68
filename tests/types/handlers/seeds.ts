// The seed's handlers, as a person would write them in TypeScript. They have to type-check as they stand.

import { client } from "liveline:sql";
import Observer from "@webqit/observer";
import { LiveResponse, type Handler, type HttpEvent, type Next } from "@webqit/webflo";

interface Reply {
  message: string;
  user?: string;
}

export async function steps(event: HttpEvent, next: Next) {
  if (next.stepname) return await next();

  event.respondWith({ step: 1 }, { done: false });
  await new Promise((resolve) => setTimeout(resolve, 500));
  event.respondWith({ step: 2 });
}

export const replace: Handler = async (event, next) => {
  if (next.stepname) return await next();

  const res = LiveResponse.from({ step: 1 }, { done: false });
  setTimeout(() => res.replaceWith({ step: 2 }), 200);
  return res;
};

export const skeleton: Handler = async function (event, next, fetch) {
  if (next.stepname) return await next();

  const data = {
    menu: [{ name: "Home", href: "/" }],
    content: { header: "Loading...", body: [] as { text: string }[] },
  };
  event.waitUntil((async () => {
    const someData = await fetch("/data");
    Observer.set(data.content, "header", someData.header);
    Observer.proxy(data.content.body).push({ text: `Inventory 1: ${someData.items[0]}` });
  })());
  return data;
};

export async function redirect(event: HttpEvent) {
  event.respondWith({ step: 1 }, { done: false });
  await fetch("https://api.example.com/data");
  event.respondWith(null, { status: 302, headers: { Location: "/done" } });
}

export async function confirm(event: HttpEvent) {
  const answer = await event.user.confirm({ message: "Are you sure?" });
  if (answer?.data === true) return Response.json({ ok: true });
}

export async function prompt(event: HttpEvent) {
  const name: string | null = (await event.user.prompt({ message: "What is your name?" })).data;
  const form = await event.user.prompt<{ name: string }>({ message: "What is your name?" });
  return { name, length: form.data.name.length };
}

export function callback(event: HttpEvent) {
  event.respondWith({ someProp: "", n: 0 }, async ($data, signal) => {
    $data.someProp = "someValue";
    if (!signal.aborted) $data.n += 1;
  });
}

export function held(event: HttpEvent) {
  event.waitUntilNavigate();
  event.waitUntil(new Promise(() => {}));
  event.respondWith(new Promise<object>((resolve) => setTimeout(() => resolve({}), 1000)));
}

export async function* generator(event: HttpEvent) {
  yield { id: event.url.pathname };
  yield new Response("text");
  yield new LiveResponse(null, { headers: { Location: "/" } });
}

export default async function live(event: HttpEvent) {
  "use live";
  const data = { progress: 0 };
  setInterval(() => {
    data.progress += 10;
  }, 1000);
  return data;
}

export const portB: Handler = async (event, next) => {
  const response = await fetch("https://api.example.com/data");
  const upstream = LiveResponse.from(response);
  upstream.background?.addEventListener("message", (message) => console.log(message.data));
  const below = LiveResponse.from(await next());
  return below;
};

export function messages(event: HttpEvent) {
  event.client.addEventListener<Reply>("message", (e) => console.log(e.data.message));
  event.client.addEventListener("close", (e) => console.log(e.code, e.reason, e.wasClean));
  event.client.addRequestListener<number>("double", (e) => e.data * 2);
  event.client.postMessage({ message: "hi" }, { wqEventOptions: { type: "room:message" } });
  event.client.postMessage({ message: "hi" }, { type: "room:message" });
}

export function chat(event: HttpEvent) {
  const { channel, leave } = event.client.enterChannel("test-channel", {
    resolveData: (message) => ({ ...message, user: "sample name" }),
    authorize: ({ data }) => data.message !== "spam",
    presence: { user: "sample name" },
  });
  channel.addEventListener<Reply>("message", (e) => console.log(e.data.message, channel.members()[0].isSelf));
  event.client.addEventListener("leave", leave);
}

export async function posts(event: HttpEvent) {
  const result = await client.query<{ title: string }>("SELECT * FROM posts WHERE date_created > '2023-01-01'", {
    live: true,
    signal: event.signal,
  });
  event.waitUntilNavigate();
  return { posts: result.rows, first: result.rows[0]?.title.length };
}

export async function account(event: HttpEvent) {
  event.user.defineHandler("id", "/login");
  const stop = await event.user.isSignedIn((isSignedIn) => console.log(isSignedIn));
  event.session.subscribe("visits", ({ type, value }) => console.log(type, value), { signal: event.signal });
  const [id] = await event.user.signIn();
  stop();
  return await event.user.require(["id", "name"], (id, name) => `${id} ${name}`) + id;
}

export async function stored(event: HttpEvent) {
  const visits = (await event.session.get<number>("visits") ?? 0) + 1;
  await event.session.set("visits", visits);
  await event.cookies.set("theme", { value: "dark", sameSite: "Strict" });
  await event.cookies.set("theme", "dark", { maxAge: 9, domain: null, partitioned: true });
  await event.cookies.set({ name: "theme", value: "dark", path: "/x", expires: Date.now() + 9 });
  const had: boolean = await event.cookies.delete({ name: "theme", path: "/x", domain: "example.org" });
  if (had) return (await event.cookies.getAll("theme")).map(({ name, value }) => name + value);
  return { visits, theme: await event.cookies.get("theme"), from: event.detail.ipAddress };
}

export const watched: Handler = function (event) {
  const data = { user: { name: "" }, n: 0 };
  Observer.observe(data, "n", ({ value, oldValue }) => console.log(value, oldValue));
  Observer.observe(data, Observer.path("user", "name"), ({ path }) => console.log(path), { signal: event.signal });
  Observer.observe(data, Observer.subtree(), (records) => console.log(records.length));
  return { data, route: this.dirname };
};
