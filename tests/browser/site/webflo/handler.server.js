export default async function (event, next) {
  switch (next.stepname) {
    case "in":
      await event.user.patch({ id: "ann", name: "Ann" });
      return { value: "signed in" };
    case "out":
      await event.user.signOut();
      return { value: "signed out" };
    case "ask":
      event.client.addRequestListener("who", ({ data }) => `the server, ${data}`);
      event.waitUntilNavigate();
      return { value: "asked" };
    case "inner":
      return { value: `${event.request.method} ${next.pathname} ${event.request.headers.get("x-kind")}` };
    default:
      return { value: "of the server" };
  }
}
