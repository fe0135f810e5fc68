// What clients of the tests subscribe to: the guide's subscription, and one that filters.
registerGraphQLSubscription("liveEvents", "type Subscription { liveEvents: String }", "liveEventsResolver");
graphQLRegistry.registerSubscription("moved", "type Subscription { moved(room: String): Move } type Move { room: String x: Int }", "roomOf", "external");
graphQLRegistry.registerQuery("hello", "hello(name: String!): String!", "hello", "external");
graphQLRegistry.registerMutation("move", "move(room: String!, x: Int!): Boolean!", "move", "external");

function liveEventsResolver() {
  return "active";
}

function roomOf({ args }) {
  return args.room ? { room: args.room } : {};
}

function hello({ args }) {
  return `hello ${args.name}`;
}

function move({ args }) {
  graphQLRegistry.sendSubscriptionMessageFiltered("moved", JSON.stringify(args), JSON.stringify({ room: args.room }));
  return true;
}

register("/send", () => sendSubscriptionMessage("liveEvents", { n: Date.now() }), "POST");
