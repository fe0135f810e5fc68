import { createElement, Suspense, use } from "react";
import { renderToString, renderToReadableStream } from "react-dom/server";

function Late({ promise }) {
  return createElement("b", null, use(promise));
}

export default async () => {
  const promise = new Promise((resolve) => setTimeout(resolve, 5, "later"));
  const page = createElement("main", null, createElement(Suspense, { fallback: "wait" }, createElement(Late, { promise })));
  const stream = await renderToReadableStream(page);
  const html = await new Response(stream).text();
  return {
    string: renderToString(createElement("p", { className: "x" }, "hello ", 1)),
    fallback: html.includes("wait"),
    late: html.includes("<b>later</b>"),
  };
};
