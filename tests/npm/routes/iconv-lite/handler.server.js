import iconv from "iconv-lite";

export default () => {
  const bytes = iconv.encode("Gr\u00fc\u00dfe \u65e5\u672c", "shift_jis");
  return { latin1: iconv.decode(Buffer.from([0x47, 0xfc]), "latin1"), japanese: iconv.decode(bytes, "shift_jis"), known: iconv.encodingExists("windows-1251") };
};
