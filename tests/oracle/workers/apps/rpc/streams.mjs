import { attempt, exactly } from "./shared/show.mjs";

export const streams = {
  async readable({ stub }) {
    const text = await new Response(await stub.stream(3)).text();
    const stream = await stub.stream(1000);
    const reader = stream.getReader();
    const first = new TextDecoder().decode((await reader.read()).value).startsWith("piece 1;");
    await reader.cancel("enough");
    return { text, first, type: stream.constructor.name };
  },

  async failing({ stub }) {
    return attempt(async () => new Response(await stub.failingStream()).text());
  },

  async given({ stub }) {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const reading = stub.readStream(readable);
    await writer.write(new TextEncoder().encode("from the "));
    await writer.write(new TextEncoder().encode("caller"));
    await writer.close();
    const identity = new IdentityTransformStream();
    const written = stub.writeStream(identity.writable);
    const text = await new Response(identity.readable).text();
    await written;
    return { read: await reading, written: text };
  },

  async http({ stub }) {
    const request = new Request("http://host/path", { method: "POST", body: "body", headers: { "x-a": "1" } });
    const response = await stub.response();
    return {
      request: await exactly(() => stub.request(request)),
      response: [response.status, response.headers.get("x-a"), await response.text()],
      headers: [...(await stub.headers())],
    };
  },

  async locked({ stub }) {
    const { readable } = new TransformStream();
    readable.getReader();
    return attempt(() => stub.readStream(readable));
  },

  async objects({ stub }) {
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue({ not: "bytes" });
        controller.close();
      },
    });
    return attempt(() => stub.readStream(stream));
  },
};
