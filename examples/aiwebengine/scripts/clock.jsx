// A page that is rendered on the server, and a clock that ticks for everybody.

function init() {
  routeRegistry.registerStreamRoute("/clock");
  routeRegistry.registerRoute("/about", "about", "GET");
  schedulerService.registerRecurring({ handler: "tick", intervalMilliseconds: 1000, name: "clock" });
}

function tick() {
  routeRegistry.sendStreamMessage("/clock", { time: new Date().toISOString() });
}

function Row({ name, children }) {
  return <tr><th scope="row">{name}</th><td>{children}</td></tr>;
}

function about() {
  return ResponseBuilder.html(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>About the reading room</title>
        <link rel="stylesheet" href="/room.css" />
      </head>
      <body>
        <main>
          <h1>About the reading room</h1>
          <table>
            <Row name="Stream">new EventSource("/room?shelf=ideas")</Row>
            <Row name="Clock">new EventSource("/clock")</Row>
            <Row name="GraphQL"><a href="/graphql">/graphql</a></Row>
          </table>
          <p><a href="/">Back to the room</a></p>
        </main>
      </body>
    </html>,
  );
}
