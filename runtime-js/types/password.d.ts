/** `liveline:password`: hashes of passwords, by Argon2id with a random salt for each. */
declare module "liveline:password" {
  /** The text to store in place of a password of up to 1024 characters. */
  export function hash(password: string): Promise<string>;

  /**
   * Whether a password belongs to the stored text. If there is none, because there is no such user, the result is false
   * after the same time.
   */
  export function verify(password: string, kept: string | null | undefined): Promise<boolean>;
}
