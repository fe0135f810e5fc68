/** `liveline:password`: passwords as they may be kept. Argon2id, with a salt for each. */
declare module "liveline:password" {
  /** What may be kept of a password of up to 1024 characters, as text. */
  export function hash(password: string): Promise<string>;

  /**
   * Whether a password is the one that `kept` was made of. Where there is none, because nobody has that name, it takes
   * as long and is false.
   */
  export function verify(password: string, kept: string | null | undefined): Promise<boolean>;
}
