// Decides on what pages send. Without this file everything passes.

const TOPICS = ["connect", "subscribe", "join-document", "document-update", "chat.message"];

export default function onHubMessage(topic, data) {
  // Only the server sends activities, notifications and tasks.
  if (!TOPICS.includes(topic)) return false;
  if (topic === "chat.message") return { name: `${data.name}`.slice(0, 50), text: `${data.text}`.slice(0, 500) };
}
