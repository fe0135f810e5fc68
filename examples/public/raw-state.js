// Shows the page's state as it is, below everything else, and the way it came there: every state and every change.

const KEPT = 12;
const began = performance.now();

/** @param {unknown} data */
function show(data) {
  const { state, steps } = panel();
  state.textContent = JSON.stringify(data, null, 2) ?? "nothing yet";
  if (data === undefined) return;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const step = document.createElement("li");
  step.append(element("time", `${seconds} s`), element("code", JSON.stringify(data)));
  steps.append(step);
  if (steps.childElementCount > KEPT) steps.firstElementChild?.remove();
}

/** @type {{ state: HTMLElement, steps: HTMLElement } | undefined} */
let shown;

/** The panel of this document; another page of the app is another document, or a new `main`. */
function panel() {
  if (shown?.steps.isConnected) return shown;
  const panel = document.createElement("details");
  shown = { state: document.createElement("pre"), steps: document.createElement("ol") };
  panel.className = "raw-state";
  panel.open = true;
  panel.append(element("summary", "Raw state"), shown.state, element("p", "How it came there"), shown.steps);
  document.querySelector("main")?.append(panel);
  return shown;
}

/** @param {string} name @param {string} text */
function element(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

document.addEventListener("liveline:state", (e) => show(e.detail.data));
show(document.bindings?.data);
