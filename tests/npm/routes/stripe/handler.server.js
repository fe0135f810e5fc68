import Stripe from "stripe";

export default async () => {
  const { hostname, port } = new URL(process.env.HTTP_SERVER);
  const stripe = new Stripe("sk_test_1", { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });
  const charge = await stripe.customers.create({ email: "a@example.org" });
  const payload = JSON.stringify({ id: "evt_1", object: "event", type: "ping" });
  const header = stripe.webhooks.generateTestHeaderString({ payload, secret: "whsec_1" });
  const event = await stripe.webhooks.constructEventAsync(payload, header, "whsec_1");
  return { url: charge.url, body: charge.body, event: event.type };
};
