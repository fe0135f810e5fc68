// The page of a room: ?room=NAME. It shows what was written before, then follows the room's WebSocket.

const room = new URLSearchParams(location.search).get("room") ?? "lobby";
const address = `/api/chat?room=${encodeURIComponent(room)}`;
/** Milliseconds between two attempts to connect. */
const RETRY = 1000;

const find = (id) => document.getElementById(id);
const [messages, people, problem, user, content] =
  ["messages", "people", "problem", "user", "content"].map(find);
find("room").textContent = room;
user.value = localStorage.getItem("name") ?? "";

let socket;

function show({ user: name, content: text, at = Date.now() }) {
  const [item, author, time] = ["li", "b", "time"].map((tag) => document.createElement(tag));
  item.classList.toggle("mine", name === user.value);
  author.textContent = name;
  time.textContent = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.append(author, time, document.createElement("br"), text);
  messages.append(item);
  messages.scrollTop = messages.scrollHeight;
}

async function connect() {
  try {
    const written = await (await fetch(address)).json();
    messages.replaceChildren();
    written.forEach(show);
  } catch {
    return setTimeout(connect, RETRY);
  }
  socket = new WebSocket(address);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "message") show(message);
    if (message.type === "people") people.textContent = message.people === 1 ? "only you" : `${message.people} people`;
    problem.textContent = message.type === "error" ? message.error : "";
  };
  socket.onclose = () => {
    people.textContent = "connecting …";
    setTimeout(connect, RETRY);
  };
}

find("form").onsubmit = (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return;
  localStorage.setItem("name", user.value);
  socket.send(JSON.stringify({ user: user.value || "somebody", content: content.value }));
  content.value = "";
  content.focus();
};

connect();
