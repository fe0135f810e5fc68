import multipart from "@fastify/multipart";

export default async function (fastify, opts) {
  fastify.register(multipart, { limits: { fileSize: 100, files: 2 } });
  fastify.post("/file", async (request) => {
    const data = await request.file();
    const bytes = await data.toBuffer();
    return { field: data.fieldname, name: data.filename, type: data.mimetype, encoding: data.encoding, text: bytes.toString(), fields: Object.keys(data.fields).sort() };
  });
  fastify.post("/parts", async (request) => {
    const seen = [];
    for await (const part of request.parts()) {
      if (part.type === "file") seen.push(["file", part.fieldname, part.filename, (await part.toBuffer()).length]);
      else seen.push(["field", part.fieldname, part.value]);
    }
    return seen;
  });
  fastify.post("/files", async (request) => {
    let count = 0;
    for await (const part of request.files()) {
      await part.toBuffer();
      count += 1;
    }
    return { count };
  });
  fastify.post("/none", async (request) => ({ multipart: request.isMultipart() }));
}
