// The page of the reading room: it lists the notes of a shelf, and follows the stream of that shelf.

const byId = (id) => document.getElementById(id);
const state = byId("state"), list = byId("notes"), problem = byId("problem");
let shelf = "", stream = null;

function show(note, isNew) {
  const item = document.createElement("li");
  const about = document.createElement("small");
  const time = document.createElement("time");
  item.textContent = note.text;
  time.dateTime = note.at;
  time.textContent = new Date(note.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  about.append(note.shelf, time);
  item.append(about);
  if (isNew) item.className = "new";
  list.prepend(item);
}

async function open(name) {
  shelf = name;
  stream?.close();
  const query = name === "" ? "" : `?shelf=${encodeURIComponent(name)}`;
  stream = new EventSource(`/room${query}`);
  stream.onopen = () => { state.textContent = "live"; state.className = "open"; };
  stream.onerror = () => { state.textContent = "connecting"; state.className = ""; };
  stream.onmessage = ({ data }) => show(JSON.parse(data), true);
  const { shelves, notes } = await (await fetch(`/notes${query}`)).json();
  list.replaceChildren();
  for (const note of notes) show(note, false);
  choices(shelves);
}

function choices(shelves) {
  byId("shelves").replaceChildren(...["", ...shelves].map((name) => {
    const button = document.createElement("button");
    button.textContent = name || "everything";
    button.setAttribute("aria-pressed", String(name === shelf));
    button.onclick = () => open(name);
    return button;
  }));
  if (byId("shelf").options.length === 0) byId("shelf").append(...shelves.map((name) => new Option(name)));
}

byId("form").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  const response = await fetch("/notes", { method: "POST", body: new URLSearchParams(new FormData(form)) });
  problem.textContent = response.ok ? "" : (await response.json()).error;
  if (response.ok) byId("text").value = "";
};

byId("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    byId("form").requestSubmit();
  }
};

new EventSource("/clock").onmessage = ({ data }) => {
  const { time } = JSON.parse(data);
  byId("clock").dateTime = time;
  byId("clock").textContent = new Date(time).toLocaleTimeString();
};

open("");
