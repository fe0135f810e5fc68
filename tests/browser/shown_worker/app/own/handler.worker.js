export default () => ({ value: "own of the worker" });
