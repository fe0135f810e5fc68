export default () => ({ value: "own of the server" });
