// Feedback to the user about a form that is sent. The part is loaded for the first form.

/**
 * Shows that a form is busy until its request is answered; resets one that succeeded.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 * @param {import("./navigation.js").Move} move
 * @param {Promise<boolean>} sent whether it succeeded
 */
export async function follow(form, submitter, { init }, sent) {
  // A GET form may be sent again meanwhile, and keeps its fields.
  const isLook = init.method === undefined;
  const free = [occupy(form, false)];
  for (const element of form.elements) {
    const isSubmit = element.type === "submit" && !element.disabled;
    if (isSubmit && (!isLook || element === submitter)) free.push(occupy(element, !isLook));
  }
  const succeeded = await sent.catch(() => false);
  for (const undo of free) undo();
  if (succeeded && !isLook && isAsSent(form, submitter, init.body)) form.reset();
}

/** Marks an element as busy. A focused button is not disabled, because it would lose the focus. */
function occupy(element, isDisabled) {
  const attribute = !isDisabled ? null : element === document.activeElement ? "aria-disabled" : "disabled";
  const had = attribute === null ? null : element.getAttribute(attribute);
  element.setAttribute("aria-busy", "true");
  if (attribute !== null) element.setAttribute(attribute, attribute === "disabled" ? "" : "true");
  return () => {
    element.removeAttribute("aria-busy");
    if (attribute === null) return;
    if (had === null) element.removeAttribute(attribute);
    else element.setAttribute(attribute, had);
  };
}

/** Whether the user has changed nothing since the form was sent. */
function isAsSent(form, submitter, body) {
  const list = (fields) => JSON.stringify([...fields].map(([name, value]) => [name, value.name ?? value]));
  return list(new FormData(form, submitter?.isConnected ? submitter : null)) === list(body);
}

/**
 * Sends a form's fields to another origin, for a redirect that keeps the method.
 * @param {URL} url @param {import("./navigation.js").Move} move
 */
export function sendAgain(url, { init: { method, body } }) {
  const isForm = body instanceof FormData || body instanceof URLSearchParams;
  if (method !== "POST" || !isForm) return location.assign(url);
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  form.hidden = true;
  if (body instanceof FormData) form.enctype = "multipart/form-data";
  for (const [name, value] of body) {
    const input = document.createElement("input");
    input.name = name;
    if (typeof value === "string") {
      input.type = "hidden";
      input.value = value;
    } else {
      const files = new DataTransfer();
      if (value.name !== "") files.items.add(value);
      input.type = "file";
      input.files = files.files;
    }
    form.append(input);
  }
  document.body.append(form);
  form.submit();
  form.remove();
}
