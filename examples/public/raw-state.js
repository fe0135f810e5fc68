// Shows the page's state as it is, below everything else: on every state and every change in place.

function show(data) {
  const panel = document.querySelector(".raw-state") ?? addPanel();
  panel.querySelector("pre").textContent = JSON.stringify(data, null, 2) ?? "nothing yet";
}

function addPanel() {
  const panel = document.createElement("details");
  panel.className = "raw-state";
  panel.open = true;
  panel.innerHTML = "<summary>Raw state</summary><pre></pre>";
  document.querySelector("main").append(panel);
  return panel;
}

document.addEventListener("liveline:state", (e) => show(e.detail.data));
show(document.bindings?.data);
