// Notes in a table of D1: POST adds one, GET lists them, DELETE removes one.

export default {
  async fetch(request, { DB }) {
    await DB.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
    switch (request.method) {
      case "GET": {
        const { results } = await DB.prepare("SELECT id, text FROM notes ORDER BY id").all();
        return Response.json(results);
      }
      case "POST": {
        const id = await DB.prepare("INSERT INTO notes (text) VALUES (?) RETURNING id").bind(await request.text()).first("id");
        return Response.json({ id }, { status: 201 });
      }
      case "DELETE": {
        const id = Number(new URL(request.url).pathname.slice(1));
        const { meta } = await DB.prepare("DELETE FROM notes WHERE id = ?").bind(id).run();
        return new Response(null, { status: meta.changes === 0 ? 404 : 204 });
      }
      default:
        return new Response("Method not allowed", { status: 405 });
    }
  },
};
