import { h } from "preact";
import { useState } from "preact/hooks";
import render from "preact-render-to-string";

function Counter({ start }) {
  const [count] = useState(start);
  return h("button", { class: "counter" }, "Count: ", count);
}

export default () => ({ html: render(h("main", null, h(Counter, { start: 3 }), ["a", "b"].map((key) => h("i", { key }, key)))) });
