import http from "node:http";

/** @type {http.RequestListener} */
export function nodeHandler(req, res, next) {
  if (req.url === "/classes") {
    return res.end(JSON.stringify([req instanceof http.IncomingMessage, res instanceof http.ServerResponse]));
  }
  if (req.url === "/head") {
    res.writeHead(200, "Fine", ["X-Number", "1", "X-Number", "2", "Content-Type", "text/plain"]);
    return res.end("body");
  }
  if (req.url === "/not-modified") return res.writeHead(304, { ETag: '"1"' }).end();
  if (req.url === "/listen") {
    try {
      http.createServer(() => {}).listen(0);
      return res.end("listens");
    } catch (error) {
      return res.end(error.message);
    }
  }
  if (req.url === "/echo") return req.pipe(res);
  if (req.url === "/upload") {
    let size = 0;
    req.on("data", (chunk) => (size += chunk.length)).on("end", () => res.end(String(size)));
    req.on("error", (error) => res.writeHead(error.status ?? 500).end(error.message));
    return;
  }
  next();
}
