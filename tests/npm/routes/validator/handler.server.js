import validator from "validator";

export default () => ({
  mail: [validator.isEmail("a@example.org"), validator.isEmail("a@")],
  card: validator.isCreditCard("4111111111111111"),
  escaped: validator.escape("<b>"),
});
