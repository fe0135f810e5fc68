// The board in a browser: pointers, notes that are dragged and written in, and the keyboard.
//
// What stays (a new note, its place, its text) goes to the handler, which writes it into the database; every page then
// gets the changed row. What passes (a pointer, a note on its way) goes to the others in the channel and to nobody else.

const { background } = window.webqit.app;

/** Milliseconds between two messages about the same pointer. Each also waits for a frame of the screen. */
const PACE = 40;
/** Milliseconds without a key until what was written is saved. */
const PAUSE = 250;
/** Pixels that a finger may tremble while it taps. */
const TREMBLE = 5;
/** How far an arrow key moves a note; with Shift it is five times as far. */
const STEP = 0.01;

const board = /** @type {HTMLElement} */ (document.querySelector(".board"));
const cursors = /** @type {HTMLElement} */ (document.querySelector(".cursors"));

/** @typedef {{ x: number, y: number }} Place from 0 to 1 */
/** @typedef {{ id: string, name: string, colour: number }} Person */

// -- the others ------------------------------------------------------------------------------------------------------

const POINTER = '<svg viewBox="0 0 16 16"><path d="M1 1l5.5 14 2-6 6-2z" fill="currentColor"/></svg><b></b>';

background.addEventListener("board:cursor", ({ data }) => showCursor(data.who, data.x === undefined ? null : data));

background.addEventListener("board:drag", ({ data }) => {
  showCursor(data.who, data.at);
  const note = noteOf(data.id);
  if (!note || note.matches(".held")) return;
  note.classList.add("moving");
  place(note, data);
});

/** @param {Person} person @param {Place | null} at null where the pointer has left the board */
function showCursor(person, at) {
  let cursor = /** @type {HTMLElement | null} */ (cursors.querySelector(`[data-id="${CSS.escape(person.id)}"]`));
  if (at === null) return cursor?.remove();
  if (!cursor) {
    cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.dataset.id = person.id;
    cursor.dataset.colour = `${person.colour}`;
    cursor.innerHTML = POINTER;
    cursor.querySelector("b")?.append(person.name);
    cursors.append(cursor);
  }
  cursor.style.left = `${at.x * 100}%`;
  cursor.style.top = `${at.y * 100}%`;
}

document.addEventListener("liveline:state", ({ detail: { data } }) => {
  if (!data?.notes) return;
  const here = new Set(data.people.map((/** @type {Person} */ { id }) => id));
  for (const cursor of cursors.querySelectorAll(".cursor")) {
    if (!here.has(/** @type {HTMLElement} */ (cursor).dataset.id)) cursor.remove();
  }
  // A text that somebody is writing here is not taken away from them.
  const texts = new Map(data.notes.map((/** @type {{ id: string, text: string }} */ { id, text }) => [id, text]));
  requestAnimationFrame(() => {
    for (const note of board.querySelectorAll(".note:not(.writing)")) {
      const text = texts.get(/** @type {HTMLElement} */ (note).dataset.id);
      const area = textOf(note);
      if (text !== undefined && area.value !== text) area.value = text;
    }
  });
});

// -- what this page says ---------------------------------------------------------------------------------------------

/** @type {{ data: object, type: string } | null} what is sent with the next frame; the latest is all that counts */
let waiting = null;
let sentAt = 0;

/** @param {string} type @param {object} data */
function sendSoon(type, data) {
  const isPlanned = waiting !== null;
  waiting = { type: `board:${type}`, data };
  if (!isPlanned) requestAnimationFrame(send);
}

/** @param {number} now */
function send(now) {
  if (waiting === null) return;
  if (now - sentAt < PACE) return void requestAnimationFrame(send);
  sentAt = now;
  background.postMessage(waiting.data, { type: waiting.type });
  waiting = null;
}

board.addEventListener("pointermove", (e) => {
  if (e.isPrimary && !held) sendSoon("cursor", pointAt(e));
});
board.addEventListener("pointerleave", () => sendSoon("cursor", {}));

/** Where on the board a pointer is. @param {MouseEvent} e @returns {Place} */
function pointAt({ clientX, clientY }) {
  const { left, top, width, height } = board.getBoundingClientRect();
  return { x: rounded((clientX - left) / width), y: rounded((clientY - top) / height) };
}

// -- notes -----------------------------------------------------------------------------------------------------------

/** @param {string} id @returns {HTMLElement | null} */
function noteOf(id) {
  return board.querySelector(`.note[data-id="${CSS.escape(id)}"]`);
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function noteAt(target) {
  return target instanceof Element ? target.closest(".note") : null;
}

/** @param {Element} note */
function textOf(note) {
  return /** @type {HTMLTextAreaElement} */ (note.querySelector("textarea"));
}

/** @param {HTMLElement} note @returns {Place} */
function placeOf({ style }) {
  return { x: Number(style.getPropertyValue("--x")), y: Number(style.getPropertyValue("--y")) };
}

/** @param {HTMLElement} note @param {Place} at */
function place(note, { x, y }) {
  note.style.setProperty("--x", `${x}`);
  note.style.setProperty("--y", `${y}`);
}

/** @param {number} value */
function rounded(value) {
  return Math.round(Math.min(Math.max(value, 0), 1) * 10_000) / 10_000;
}

/** Adds a note where `at` is, and lets the person write in it. @param {Place} at */
async function add(at) {
  const { data: id } = await ask("add", at);
  if (id === null) return alert("The board is full. Remove a note first.");
  const note = noteOf(id) ?? await appears(id);
  write(note);
}

/** Asks the handler by a message, over the line of this page. @param {string} type @param {object} data */
function ask(type, data) {
  const [line] = background;
  return line.postRequest(data, { type });
}

/** The note, as soon as the page shows it. @param {string} id @returns {Promise<HTMLElement>} */
function appears(id) {
  return new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      const note = noteOf(id);
      if (!note) return;
      observer.disconnect();
      resolve(note);
    });
    observer.observe(board, { subtree: true, childList: true, attributes: true });
  });
}

/** @param {HTMLElement} note */
function remove(note) {
  const { previousElementSibling: before, nextElementSibling: after } = note;
  background.postMessage({ id: note.dataset.id }, { type: "remove" });
  const next = [after, before].find((it) => it?.matches(".note"));
  (/** @type {HTMLElement} */ (next ?? document.querySelector("#add"))).focus();
}

/** @param {HTMLElement} note */
function write(note) {
  note.classList.add("writing");
  const text = textOf(note);
  text.focus();
  text.setSelectionRange(text.value.length, text.value.length);
}

let pause = 0;

board.addEventListener("input", (e) => {
  const note = noteAt(e.target);
  if (!note) return;
  clearTimeout(pause);
  pause = setTimeout(save, PAUSE, note);
});

board.addEventListener("focusout", (e) => {
  const note = noteAt(e.target);
  if (!note?.matches(".writing") || e.target !== textOf(note)) return;
  clearTimeout(pause);
  save(note);
  note.classList.remove("writing");
});

/** @param {HTMLElement} note */
function save(note) {
  const text = textOf(note).value;
  const known = document.bindings.data.notes.find((/** @type {{ id: string }} */ { id }) => id === note.dataset.id);
  if (known && known.text !== text) background.postMessage({ id: note.dataset.id, text }, { type: "write" });
}

// -- pointers --------------------------------------------------------------------------------------------------------

/** @type {{ note: HTMLElement, from: Place, x: number, y: number, moved: boolean } | null} */
let held = null;

board.addEventListener("pointerdown", (e) => {
  const note = noteAt(e.target);
  if (!note || e.button !== 0 || held || /** @type {Element} */ (e.target).closest("button")) return;
  if (note.matches(".writing")) return;
  held = { note, from: placeOf(note), x: e.clientX, y: e.clientY, moved: false };
  note.setPointerCapture(e.pointerId);
  note.classList.remove("moving");
});

board.addEventListener("pointermove", (e) => {
  if (!held || !e.isPrimary) return;
  const { note, from, x, y } = held;
  const [right, down] = [e.clientX - x, e.clientY - y];
  if (!held.moved && Math.hypot(right, down) < TREMBLE) return;
  held.moved = true;
  note.classList.add("held");
  const room = { x: board.clientWidth - note.offsetWidth, y: board.clientHeight - note.offsetHeight };
  place(note, { x: rounded(from.x + right / room.x), y: rounded(from.y + down / room.y) });
  sendSoon("drag", { id: note.dataset.id, ...placeOf(note), at: pointAt(e) });
});

for (const type of ["pointerup", "pointercancel"]) {
  board.addEventListener(type, () => {
    if (!held) return;
    const { note, from, moved } = held;
    held = null;
    note.classList.remove("held");
    if (type === "pointercancel") place(note, from);
    else if (moved) background.postMessage({ id: note.dataset.id, ...placeOf(note) }, { type: "move" });
    else write(note);
  });
}

board.addEventListener("click", (e) => {
  const note = noteAt(e.target);
  if (note && /** @type {Element} */ (e.target).closest(".remove")) remove(note);
});

// In the middle of where the person has clicked.
board.addEventListener("dblclick", (e) => {
  if (noteAt(e.target)) return;
  const { left, top, width, height } = board.getBoundingClientRect();
  const side = board.querySelector(".note")?.getBoundingClientRect().width ?? 0;
  add({
    x: rounded((e.clientX - left - side / 2) / (width - side)),
    y: rounded((e.clientY - top - side / 2) / (height - side)),
  });
});

// Next to the middle, so that notes that are added one after the other do not hide each other.
document.querySelector("#add")?.addEventListener("click", () => {
  add({ x: rounded(0.3 + Math.random() * 0.4), y: rounded(0.3 + Math.random() * 0.4) });
});

// -- the keyboard ----------------------------------------------------------------------------------------------------

/** @type {Record<string, [right: number, down: number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

board.addEventListener("keydown", (e) => {
  const note = noteAt(e.target);
  if (!note) return;
  if (e.target !== note) {
    if (e.key === "Escape") note.focus();
    return;
  }
  const arrow = ARROWS[e.key];
  if (arrow) {
    const far = e.shiftKey ? STEP * 5 : STEP;
    const { x, y } = placeOf(note);
    place(note, { x: rounded(x + arrow[0] * far), y: rounded(y + arrow[1] * far) });
    background.postMessage({ id: note.dataset.id, ...placeOf(note) }, { type: "move" });
  } else if (e.key === "Enter") write(note);
  else if (e.key === "Delete" || e.key === "Backspace") remove(note);
  else return;
  e.preventDefault();
});
