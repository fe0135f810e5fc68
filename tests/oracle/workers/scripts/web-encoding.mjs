import { gunzipSync } from "node:zlib";

export const application = "web";

/** What a client sees of a body. */
function seen({ headers, body }) {
  const coding = headers["content-encoding"];
  const length = headers["content-length"] ?? null;
  try {
    return { coding, length: "unknown", text: gunzipSync(body).toString() };
  } catch {
    return { coding, length, text: body.toString() };
  }
}

export default async (t) => {
  const paths = ["gzip", "length-and-gzip", "manual", "other-coding", "two-codings", "set-later", "stream", "nothing", "copied", "cloned"];
  for (const path of paths) t.note(path, seen(await t.ask("GET", `/${path}`, { headers: { "Accept-Encoding": "gzip, br" } })));
  const { headers } = await t.ask("HEAD", "/gzip", { headers: { "Accept-Encoding": "gzip, br" } });
  t.note("HEAD", [headers["content-encoding"], headers["content-length"] ?? null]);
  await t.request("GET", "/wrong");
};
