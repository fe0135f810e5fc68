//! Clients of Node's: `http`, `https`, `net`, `dns`.

use serde_json::json;

use super::answer_of;

#[test]
fn http_requests_stream_both_bodies_over_a_kept_connection() {
    let answer = answer_of(
        r#"import http from "node:http"; import { text } from "node:stream/consumers"; import { once } from "node:events";"#,
        r#"
        const server = http.createServer(async (request, response) => {
          let length = 0;
          for await (const chunk of request) length += chunk.length;
          response.setHeader("x-length", length);
          response.write(`${request.method} ${request.url} `);
          setTimeout(() => response.end("end"), 1);
        }).listen(0, "127.0.0.1");
        await once(server, "listening");
        const { port } = server.address();
        const agent = new http.Agent({ keepAlive: true });
        const ports = new Set();
        const post = async (path) => {
          const request = http.request({ port, path, method: "POST", agent, headers: { "x-own": "yes" } });
          request.write("x".repeat(100_000));
          request.end("y");
          const [response] = await once(request, "response");
          ports.add(request.socket.localPort);
          return [response.statusCode, response.headers["x-length"], await text(response)];
        };
        const posted = [await post("/one"), await post("/two")];
        const got = await new Promise((done, fail) => http.get(`http://127.0.0.1:${port}/three`, (response) => done(text(response))).on("error", fail));
        const fetched = await (await fetch(`http://127.0.0.1:${port}/four`)).text();
        agent.destroy();
        server.close();
        return { posted, got, fetched, connections: ports.size, refused: await attempt(() => once(http.get({ port: 1 }), "response")) };"#,
    );

    assert_eq!(answer["posted"], json!([[200, "100001", "POST /one end"], [200, "100001", "POST /two end"]]));
    assert_eq!(answer["got"], "GET /three end");
    assert_eq!(answer["fetched"], "GET /four end");
    assert_eq!(answer["connections"], 1);
    assert_eq!(answer["refused"]["code"], "ECONNREFUSED");
}

#[test]
fn a_request_can_be_aborted_and_times_out() {
    let answer = answer_of(
        r#"import http from "node:http"; import { once } from "node:events";"#,
        r#"
        const server = http.createServer(() => {}).listen(0, "127.0.0.1");
        await once(server, "listening");
        const { port } = server.address();
        const aborted = await attempt(() => once(http.get({ port, signal: AbortSignal.timeout(5) }), "response"));
        const slow = http.get({ port, timeout: 5 });
        await once(slow, "timeout");
        slow.destroy(new Error("too slow"));
        const timedOut = await attempt(() => once(slow, "response"));
        server.closeAllConnections();
        server.close();
        return { aborted, timedOut };"#,
    );

    assert_eq!(answer["aborted"]["code"], "ABORT_ERR");
    assert_eq!(answer["timedOut"]["message"], "too slow");
}

#[test]
fn sockets_echo() {
    let answer = answer_of(
        r#"import net from "node:net"; import dns from "node:dns"; import { text } from "node:stream/consumers"; import { once } from "node:events";"#,
        r#"
        const server = net.createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
        await once(server, "listening");
        const socket = net.connect({ port: server.address().port, host: "localhost", family: 4 });
        await once(socket, "connect");
        socket.setNoDelay(true).setKeepAlive(true);
        socket.end("over the wire");
        const echoed = await text(socket);
        server.close();
        return {
          echoed, address: (await dns.promises.lookup("localhost", { family: 4 })).address, ip: [net.isIP("::1"), net.isIPv4("1.2.3.4")],
          refused: await attempt(() => once(net.connect(1, "127.0.0.1"), "connect")),
          unknown: (await attempt(() => dns.promises.lookup("nothing.invalid"))).code,
        };"#,
    );

    assert_eq!(answer["echoed"], "over the wire");
    assert_eq!(answer["address"], "127.0.0.1");
    assert_eq!(answer["ip"], json!([6, true]));
    assert_eq!(answer["refused"]["code"], "ECONNREFUSED");
    assert!(["ENOTFOUND", "EAI_AGAIN"].contains(&answer["unknown"].as_str().unwrap_or_default()), "{answer}");
}
