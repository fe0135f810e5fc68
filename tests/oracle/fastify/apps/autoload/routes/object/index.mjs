export default { not: "a plugin" };
