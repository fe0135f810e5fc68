// What is there without an import.

export default () => new LiveResponse(Observer.proxy({ a: 1 }), { done: false });

export const body: (live: LiveResponse<{ a: number }>) => number = (live) => live.body.a;
