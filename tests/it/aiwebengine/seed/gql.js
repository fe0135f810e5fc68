// Register a GraphQL subscription
registerGraphQLSubscription(
  "liveEvents",
  "type Subscription { liveEvents: String }",
  "liveEventsResolver",
);

// Subscription resolver
function liveEventsResolver() {
  return "Live events subscription active";
}

// Send messages to subscribers
function triggerEvent() {
  sendSubscriptionMessage(
    "liveEvents",
    JSON.stringify({
      event: "user_joined",
      timestamp: new Date().toISOString(),
    }),
  );
}
