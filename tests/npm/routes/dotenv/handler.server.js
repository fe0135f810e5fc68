import dotenv from "dotenv";

export default () => {
  dotenv.populate(process.env, dotenv.parse('A_NAME=one\nANOTHER="two words" # comment'));
  return { name: process.env.A_NAME, another: process.env.ANOTHER };
};
