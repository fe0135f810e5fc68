export default () => ({ value: "of the worker" });
