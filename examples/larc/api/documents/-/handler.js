// The newest text of a document, as the hub has it.

import { topic } from "liveline:topics";

export function GET() {
  const document = topic(`/larc/documents/${encodeURIComponent(this.stepname)}`).latest;
  return document?.data ?? { docId: this.stepname, content: "" };
}
