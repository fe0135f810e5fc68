// Shows what comes on the page's lines, one after the other.

const { background } = window.webqit.app;
const seen = [];

function see(text) {
  seen.push(text);
  document.querySelector("#seen").textContent = seen.join(", ");
}

background.addEventListener("message", (e) => see(`message ${JSON.stringify(e.data)}`));
background.addEventListener("close", (e) => see(`close ${e.code}`));
document.addEventListener("liveline:error", (e) => {
  e.preventDefault();
  see(`error ${e.detail.error.message}`);
});
// Answered by the page itself: no native dialog is shown.
background.addEventListener("confirm", (e) => {
  e.preventDefault();
  // A test answers itself.
  if (window.isBusy) return;
  e.ports[0].postMessage(`the page's answer to ${e.data.message}`);
});
