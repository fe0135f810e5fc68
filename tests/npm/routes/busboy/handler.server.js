import { Readable } from "node:stream";
import busboy from "busboy";

export default async (event) => {
  const seen = [];
  const parser = busboy({ headers: Object.fromEntries(event.request.headers) });
  parser.on("field", (name, value) => seen.push({ name, value }));
  parser.on("file", async (name, stream, { filename, mimeType }) => {
    let size = 0;
    stream.on("data", (chunk) => (size += chunk.length));
    stream.on("end", () => seen.push({ name, filename, mimeType, size }));
  });
  await new Promise((resolve, reject) => {
    parser.on("close", resolve).on("error", reject);
    Readable.fromWeb(event.request.body).pipe(parser);
  });
  return seen;
};
