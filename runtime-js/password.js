// liveline:password: passwords as they may be kept.

import { op_password_hash, op_password_verify } from "ext:core/ops";
import { TypeError } from "./primordials.js";

/** A longer one is no password. */
const MAX_LENGTH = 1024;

/**
 * What may be kept of a password: it cannot be turned back. Two of the same password are different.
 * @param {string} password
 * @returns {Promise<string>}
 */
export async function hash(password) {
  return await op_password_hash(checked(password, "hash()"));
}

/**
 * Whether a password is the one that `kept` was made of. Where there is none, because nobody has that name, it takes as
 * long and is false, so that the time does not reveal which names exist.
 * @param {string} password
 * @param {string | null | undefined} kept
 * @returns {Promise<boolean>}
 */
export async function verify(password, kept) {
  const isKept = kept !== null && kept !== undefined;
  if (isKept && (typeof kept !== "string" || kept === "")) throw new TypeError("verify(): kept is a hash.");
  return await op_password_verify(checked(password, "verify()"), isKept ? kept : "");
}

function checked(password, what) {
  if (typeof password !== "string") throw new TypeError(`${what}: a password is a text.`);
  if (password.length > MAX_LENGTH) throw new TypeError(`${what}: a password has at most ${MAX_LENGTH} characters.`);
  return password;
}
