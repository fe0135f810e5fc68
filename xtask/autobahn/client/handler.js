// Plays the cases of a fuzzing server that listens at `?server=`: each is a connection whose messages are echoed.

const AGENT = "liveline";

export async function GET(event) {
  const server = event.url.searchParams.get("server");
  const count = Number(await conversation(`${server}/getCaseCount`));
  let played = 0;
  const progress = new ReadableStream({
    async pull(controller) {
      if (played < count) {
        played += 1;
        await conversation(`${server}/runCase?case=${played}&agent=${AGENT}`, (socket, data) => socket.send(data));
        controller.enqueue(new TextEncoder().encode(`${played} of ${count}\n`));
      } else {
        await conversation(`${server}/updateReports?agent=${AGENT}`);
        controller.close();
      }
    },
  });
  return new Response(progress);
}

/** Resolves with the last message, once the socket is closed: some cases end with an error, which is their point. */
function conversation(url, answer = () => {}) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let last;
    socket.onmessage = ({ data }) => {
      last = data;
      answer(socket, data);
    };
    socket.onclose = () => resolve(last);
  });
}
