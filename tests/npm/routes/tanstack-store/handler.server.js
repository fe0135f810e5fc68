import { Store } from "@tanstack/store";

export default () => {
  const store = new Store({ count: 0 });
  const seen = [];
  const subscription = store.subscribe(() => seen.push(store.state.count));
  store.setState((state) => ({ count: state.count + 1 }));
  store.setState((state) => ({ count: state.count + 1 }));
  (subscription.unsubscribe ?? subscription)();
  return { seen, state: store.state };
};
