// Shows the page's state as it is, below everything else, and the way it came there: every state and every change.

const KEPT = 12;
const began = performance.now();

function show(data) {
  const { state, steps } = panel();
  state.textContent = JSON.stringify(data, null, 2) ?? "nothing yet";
  if (data === undefined) return;
  const step = document.createElement("li");
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  step.innerHTML = "<time></time><code></code>";
  step.querySelector("time").textContent = `${seconds} s`;
  step.querySelector("code").textContent = JSON.stringify(data);
  steps.append(step);
  if (steps.childElementCount > KEPT) steps.firstElementChild.remove();
}

function panel() {
  const element = document.querySelector(".raw-state") ?? addPanel();
  return { state: element.querySelector("pre"), steps: element.querySelector("ol") };
}

function addPanel() {
  const element = document.createElement("details");
  element.className = "raw-state";
  element.open = true;
  element.innerHTML = "<summary>Raw state</summary><pre></pre><p>How it came there</p><ol></ol>";
  document.querySelector("main").append(element);
  return element;
}

document.addEventListener("liveline:state", (e) => show(e.detail.data));
show(document.bindings?.data);
