export const application = "web";

const part = (name, rest, text) => `--B\r\nContent-Disposition: form-data; name="${name}"${rest}\r\n\r\n${text}\r\n`;

export default async (t) => {
  const form = [
    part("none", '; filename=""\r\nContent-Type: application/octet-stream', ""),
    part("file", '; filename="x.txt"', "hi"),
    part("empty", '; filename="empty.txt"', ""),
    part("text", "", "plain"),
    part("nameless", '; filename=""', "data"),
  ];
  await t.request("POST", "/form", { headers: { "Content-Type": "multipart/form-data; boundary=B" }, body: `${form.join("")}--B--\r\n` });
  await t.request("POST", "/text", { body: "\ufeffabc" });
  await t.request("POST", "/json", { body: '\ufeff{"a":1}' });
  await t.request("GET", "/texts");
  await t.request("POST", "/body", { body: "hello world" });
  await t.request("POST", "/body-at-least", { body: "hello world" });
  await t.request("GET", "/byob");
};
