//! The course's shop as people have written it: CommonJS and ESM, either handler, a model of its own. FW-B3.

use serde_json::json;

use super::{open, order, refusal};
use crate::support::Site;

/// Files below the folder that is served.
type Files = &'static [(&'static str, &'static str)];

const ORDERS_ESM: &str = r#"import fp from "fastify-plugin";
import { promisify } from "node:util";

const timeout = promisify(setTimeout);
const orders = { A1: { total: 3 }, A2: { total: 7 }, B1: { total: 101 } };
const catToPrefix = { electronics: "A", confectionery: "B" };

async function* realtimeOrdersSimulator() {
  const ids = Object.keys(orders);
  while (true) {
    const id = ids[Math.floor(Math.random() * ids.length)];
    orders[id].total += Math.floor(Math.random() * 7) + 1;
    yield JSON.stringify({ id, total: orders[id].total });
    await timeout(150);
  }
}

function* currentOrders(category) {
  const idPrefix = catToPrefix[category];
  if (!idPrefix) return;
  for (const id of Object.keys(orders).filter((id) => id[0] === idPrefix)) yield JSON.stringify({ id, ...orders[id] });
}

const calculateID = (idPrefix, data) => {
  const sorted = [...new Set(data.map(({ id }) => id))];
  return `${idPrefix}${Number(sorted.pop().slice(1)) + 1}`;
};

export default fp(async function (fastify, opts) {
  fastify.decorate("currentOrders", currentOrders);
  fastify.decorate("realtimeOrders", realtimeOrdersSimulator);
  fastify.decorateRequest("mockDataInsert", function insert(category, data) {
    const id = calculateID(catToPrefix[category], data);
    data.push({ id, ...this.body });
  });
});
"#;

/// Modules of CommonJS in `.js`, as `fastify generate` makes them, with sensible and the connection of version 9.
const COMMONJS: Files = &[
    (
        "package.json",
        r#"{ "name": "shop", "main": "app.js", "scripts": { "start": "fastify start -l info app.js" } }"#,
    ),
    (
        "app.js",
        r#"'use strict'

const path = require('path')
const AutoLoad = require('@fastify/autoload')

// Pass --options via CLI arguments in command to enable these options.
module.exports.options = {}

module.exports = async function (fastify, opts) {
  fastify.register(require('@fastify/cors'))
  fastify.register(require('@fastify/websocket'))

  fastify.register(AutoLoad, {
    dir: path.join(__dirname, 'plugins'),
    options: Object.assign({}, opts)
  })
  fastify.register(AutoLoad, {
    dir: path.join(__dirname, 'routes'),
    options: Object.assign({}, opts)
  })
}
"#,
    ),
    (
        "plugins/sensible.js",
        r#"'use strict'

const fp = require('fastify-plugin')

module.exports = fp(async function (fastify, opts) {
  fastify.register(require('@fastify/sensible'), { errorHandler: false })
})
"#,
    ),
    (
        "plugins/data-utils.js",
        r#"'use strict'

const fp = require('fastify-plugin')
const { promisify } = require('util')
const timeout = promisify(setTimeout)

const orders = { A1: { total: 3 }, A2: { total: 7 }, B1: { total: 101 } }
const catToPrefix = { electronics: 'A', confectionery: 'B' }

async function * realtimeOrdersSimulator () {
  const ids = Object.keys(orders)
  while (true) {
    const id = ids[Math.floor(Math.random() * ids.length)]
    orders[id].total += 1
    yield JSON.stringify({ id, total: orders[id].total })
    await timeout(150)
  }
}

function * currentOrders (category) {
  const idPrefix = catToPrefix[category]
  if (!idPrefix) return
  const ids = Object.keys(orders).filter((id) => id[0] === idPrefix)
  for (const id of ids) {
    yield JSON.stringify({ id, ...orders[id] })
  }
}

const calculateID = (idPrefix, data) => {
  const sorted = [...(new Set(data.map(({ id }) => id)))]
  const next = Number(sorted.pop().slice(1)) + 1
  return `${idPrefix}${next}`
}

module.exports = fp(async function (fastify, opts) {
  fastify.decorate('currentOrders', currentOrders)
  fastify.decorate('realtimeOrders', realtimeOrdersSimulator)
  fastify.decorateRequest('mockDataInsert', function insert (category, data) {
    const request = this
    const idPrefix = catToPrefix[category]
    const id = calculateID(idPrefix, data)
    data.push({ id, ...request.body })
  })
})
"#,
    ),
    (
        "routes/orders/index.js",
        r#"'use strict'

module.exports = async function (fastify, opts) {
  fastify.get(
    '/:category',
    { websocket: true },
    async ({ socket }, request) => {
      for (const order of fastify.currentOrders(request.params.category)) {
        socket.send(order)
      }
      for await (const order of fastify.realtimeOrders()) {
        if (socket.readyState >= socket.CLOSING) break
        socket.send(order)
      }
    }
  )
}
"#,
    ),
    (
        "routes/electronics/index.js",
        r#"'use strict'

const data = [
  { id: 'A1', name: 'Vacuum Cleaner', rrp: '99.99', info: 'The worst vacuum in the world.' },
  { id: 'A2', name: 'Leaf Blower', rrp: '303.33', info: 'This product will blow your socks off.' }
]

module.exports = async function (fastify, opts) {
  fastify.get('/', async function (request, reply) {
    return data
  })

  fastify.post('/', async function (request, reply) {
    request.mockDataInsert(opts.prefix.slice(1), data)
    return data
  })
}
"#,
    ),
    (
        "routes/root.js",
        "'use strict'\n\nmodule.exports = async function (fastify, opts) {\n  fastify.get('/', async function (request, reply) {\n    return { root: true }\n  })\n}\n",
    ),
];

/// ESM in `.js` by the type of the package, the socket of version 10, and sockets in an encapsulated plugin.
const ESM_JS: Files = &[
    ("package.json", r#"{ "name": "shop", "type": "module", "main": "app.js" }"#),
    (
        "app.js",
        r#"import { join } from "path";
import AutoLoad from "@fastify/autoload";
import cors from "@fastify/cors";
import websocket from "@fastify/websocket";

export const options = { logger: true };

export default async function app(fastify, opts) {
  await fastify.register(cors, { origin: "*" });
  await fastify.register(websocket, { options: { maxPayload: 1048576 } });
  await fastify.register(AutoLoad, { dir: join(import.meta.dirname, "plugins"), options: { ...opts } });
  await fastify.register(AutoLoad, { dir: join(import.meta.dirname, "routes"), options: { ...opts } });
}
"#,
    ),
    ("plugins/data-utils.js", ORDERS_ESM),
    (
        "routes/orders/index.js",
        r#"export default async function orders(fastify, opts) {
  fastify.register(async function (fastify) {
    fastify.get("/:category", { websocket: true }, async (socket, req) => {
      socket.on("error", (error) => req.log.error(error));
      for (const order of fastify.currentOrders(req.params.category)) socket.send(order);
      for await (const order of fastify.realtimeOrders()) {
        if (socket.readyState !== socket.OPEN) break;
        socket.send(order);
      }
    });
  });
}
"#,
    ),
    ("routes/electronics/index.js", ELECTRONICS_ESM),
    ("routes/electronics/data.json", "[]"),
];

const ELECTRONICS_ESM: &str = r#"const data = [{ id: "A1", name: "Vacuum Cleaner" }, { id: "A2", name: "Leaf Blower" }];

export default async (fastify, { prefix }) => {
  fastify.get("/", async () => data);
  fastify.post("/", async (request) => {
    request.mockDataInsert(prefix.slice(1), data);
    return data;
  });
};
"#;

/// ESM in `.mjs` beside CommonJS in `.js`; the plugin of sockets in `plugins/`, which is later than it should be.
const MIXED: Files = &[
    ("package.json", r#"{ "name": "shop", "main": "app.mjs" }"#),
    (
        "app.mjs",
        r#"import path from "node:path";
import { fileURLToPath } from "node:url";
import AutoLoad from "@fastify/autoload";

const __dirname = path.dirname(fileURLToPath(import.meta.url));

export default async function (fastify, opts) {
  fastify.register(AutoLoad, { dir: path.join(__dirname, "routes"), options: Object.assign({}, opts) });
  fastify.register(AutoLoad, { dir: path.join(__dirname, "plugins"), options: Object.assign({}, opts) });
}
"#,
    ),
    ("plugins/data-utils.mjs", ORDERS_ESM),
    (
        "plugins/websocket.js",
        "const fp = require('fastify-plugin');\n\nmodule.exports = fp(async (fastify) => {\n  fastify.register(require('@fastify/websocket'));\n});\n",
    ),
    (
        "plugins/cors.js",
        "const fp = require('fastify-plugin');\n\nmodule.exports = fp((fastify, opts, done) => {\n  fastify.register(require('@fastify/cors'), {});\n  done();\n});\n",
    ),
    (
        "routes/orders/index.mjs",
        r#"export default async function (fastify, opts) {
  fastify.route({
    method: "GET",
    url: "/:category",
    handler: async () => ({ use: "a socket" }),
    wsHandler: async (connection, request) => {
      for (const order of fastify.currentOrders(request.params.category)) connection.socket.send(order);
      for await (const order of fastify.realtimeOrders()) {
        if (connection.socket.readyState >= connection.socket.CLOSING) break;
        connection.socket.send(order);
      }
    },
  });
}
"#,
    ),
    ("routes/electronics/index.mjs", ELECTRONICS_ESM),
];

/// A server of its own in TypeScript's shape without types, with listeners instead of a loop.
const STANDALONE: Files = &[
    (
        "app.mjs",
        r#"import Fastify from "fastify";
import cors from "@fastify/cors";
import websocket from "@fastify/websocket";
import dataUtils from "./data-utils.mjs";
import electronics from "./electronics.mjs";

const server = Fastify({ logger: { level: "info" } });

server.register(cors);
server.register(websocket);
server.register(dataUtils);
server.register(electronics, { prefix: "/electronics" });
server.register(async (instance) => {
  instance.get("/orders/:category", { websocket: true }, (socket, request) => {
    for (const order of instance.currentOrders(request.params.category)) socket.send(order);
    const orders = instance.realtimeOrders();
    const timer = setInterval(async () => socket.send((await orders.next()).value), 50);
    socket.on("close", () => clearInterval(timer));
  });
});

try {
  await server.listen({ port: Number(process.env.PORT ?? 3000) });
} catch (error) {
  server.log.error(error);
  process.exit(1);
}
"#,
    ),
    ("data-utils.mjs", ORDERS_ESM),
    ("electronics.mjs", ELECTRONICS_ESM),
];

fn copy(files: Files) -> Site {
    files.iter().fold(Site::new(), |site, (path, content)| site.file(path, content))
}

/// FW-A3, FW-A8 and FW-A9 in short. `plain` is the status of a plain request to the path of the sockets.
#[track_caller]
fn passes(site: Site, plain: u16) {
    let host = site.dev();

    let mut socket = open(&host, "/orders/electronics");
    assert_eq!(order(&mut socket), ("A1".to_owned(), 3));
    assert_eq!(order(&mut socket), ("A2".to_owned(), 7));
    for _ in 0..3 {
        let (id, _) = order(&mut socket);
        assert!(["A1", "A2", "B1"].contains(&id.as_str()), "{id}");
    }

    assert_eq!(host.request("GET", "/orders/electronics").plain().send().status, plain);
    assert_eq!(host.request("GET", "/zzz").plain().send().json()["message"], "Route GET:/zzz not found");
    assert_eq!(refusal(&host, "/zzz"), 404);

    let listed = host.request("GET", "/electronics").plain().header("origin", "http://localhost:5050").send();
    assert_eq!(listed.header("access-control-allow-origin"), Some("*"));
    assert_eq!(listed.json().as_array().map(Vec::len), Some(2));
    let added = host.request("POST", "/electronics").json(&json!({ "name": "Lamp" })).send();
    assert_eq!(added.json()[2], json!({ "id": "A3", "name": "Lamp" }));
    let wrong = host
        .request("POST", "/electronics")
        .plain()
        .header("content-type", "application/json")
        .body("{")
        .send();
    assert_eq!(wrong.status, 400);
    let kind =
        host.request("POST", "/electronics").plain().header("content-type", "text/csv").body("a").send();
    assert_eq!(kind.status, 415);
}

#[test]
fn a_copy_in_commonjs() {
    passes(copy(COMMONJS), 404);
}

#[test]
fn a_copy_in_esm_by_the_type_of_its_package() {
    passes(copy(ESM_JS), 404);
}

#[test]
fn a_copy_with_both_kinds_of_modules_and_late_plugins() {
    passes(copy(MIXED), 200);
}

#[test]
fn a_copy_that_listens_itself() {
    passes(copy(STANDALONE).serving("app.mjs"), 404);
}
