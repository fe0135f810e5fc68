export default () => ({ value: "elsewhere" });
