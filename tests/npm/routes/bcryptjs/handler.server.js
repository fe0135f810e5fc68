import bcrypt from "bcryptjs";

export default async () => {
  const hash = await bcrypt.hash("secret", 4);
  return { right: await bcrypt.compare("secret", hash), wrong: bcrypt.compareSync("other", hash), rounds: bcrypt.getRounds(hash) };
};
