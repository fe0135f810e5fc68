import * as jose from "jose";

export default async () => {
  const secret = new TextEncoder().encode("a secret of at least thirty-two bytes");
  const hs256 = await new jose.SignJWT({ role: "admin" }).setProtectedHeader({ alg: "HS256" }).setSubject("me").sign(secret);
  const hmac = await jose.jwtVerify(hs256, secret);
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
  const es256 = await new jose.SignJWT({ role: "user" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  const key = await jose.importJWK(await jose.exportJWK(publicKey), "ES256");
  const signature = await jose.jwtVerify(es256, key);
  const forged = await jose.jwtVerify(`${es256.slice(0, -8)}AAAAAAAA`, key).catch((error) => error.code);
  const sealed = await new jose.EncryptJWT({ a: 1 }).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(new Uint8Array(32));
  const opened = await jose.jwtDecrypt(sealed, new Uint8Array(32));
  return { hs256, hmac: hmac.payload, es256: signature.payload, forged, opened: opened.payload };
};
