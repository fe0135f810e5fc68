import { files, run } from "./suite.mjs";

export default async (event) => {
  const file = event.url.searchParams.get("file");
  return file === null ? files() : await run(file);
};
