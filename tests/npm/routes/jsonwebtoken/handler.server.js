import { generateKeyPairSync } from "node:crypto";
import jwt from "jsonwebtoken";

export default () => {
  const token = jwt.sign({ sub: "me", iat: 1 }, "secret");
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signed = jwt.sign({ sub: "you", iat: 1 }, privateKey, { algorithm: "RS256" });
  let refused = null;
  try {
    jwt.verify(token, "another");
  } catch (error) {
    refused = error.message;
  }
  return { token, hs256: jwt.verify(token, "secret"), rs256: jwt.verify(signed, publicKey), refused };
};
