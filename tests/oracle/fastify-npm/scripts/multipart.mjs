export const application = "multipart";

const BOUNDARY = "----liveline";
const form = (...parts) => ({
  headers: { "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
  body: `${parts.map((part) => `--${BOUNDARY}\r\n${part}\r\n`).join("")}--${BOUNDARY}--\r\n`,
});
const field = (name, value) => `content-disposition: form-data; name="${name}"\r\n\r\n${value}`;
const file = (name, filename, value, type = "text/plain") => `content-disposition: form-data; name="${name}"; filename="${filename}"\r\ncontent-type: ${type}\r\n\r\n${value}`;

export const scripts = {
  "a file": async (t) => {
    await t.request("POST", "/file", form(field("a", "1"), file("doc", "a.txt", "content")));
  },
  "parts": async (t) => {
    await t.request("POST", "/parts", form(field("a", "1"), file("one", "1.bin", "12345", "a/b"), field("b", "\u{e4}"), file("two", "2.bin", "")));
    await t.request("POST", "/files", form(file("one", "1", "1"), file("two", "2", "2")));
  },
  "limits": async (t) => {
    await t.request("POST", "/file", form(file("doc", "a.txt", "x".repeat(101))));
    await t.request("POST", "/files", form(file("a", "1", "1"), file("b", "2", "2"), file("c", "3", "3")));
  },
  "what is no form": async (t) => {
    await t.request("POST", "/file", { headers: { "content-type": "application/json" }, body: "{}" });
    await t.request("POST", "/none", { headers: { "content-type": "application/json" }, body: "{}" });
    await t.request("POST", "/none", form(field("a", "1")));
  },
};
