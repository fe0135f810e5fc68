// Headers of Workers: their values are UTF-8, where the web has byte strings. For the headers of the host's own requests
// and answers `src/ext/` knows that, so here is what Deno's code does: what Headers take, and the messages of `fetch()`.

import { core } from "ext:core/mod.js";
import { useHeadersOfFetch } from "../fetch/dial.js";
import {
  HeadersPrototypeEntries,
  HeadersPrototypeSet,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeRegExp,
  StringFromCodePoint,
  StringPrototypeCharCodeAt,
  Uint8Array,
} from "../primordials.js";

const { decode, encode } = core;

const NOT_ASCII = new SafeRegExp(/[^\0-\x7f]/);

/** Takes texts as names and values of Headers, and sends and reads them as UTF-8. */
export function useTextHeaders() {
  const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
  // It defines the converters, of which some are replaced.
  core.loadExtScript("ext:deno_fetch/20_headers.js");
  const { converters } = webidl;
  const text = converters.USVString;
  converters.ByteString = text;
  converters["sequence<ByteString>"] = webidl.createSequenceConverter(text);
  converters["sequence<sequence<ByteString>>"] = webidl.createSequenceConverter(converters["sequence<ByteString>"]);
  converters["record<ByteString, ByteString>"] = webidl.createRecordConverter(text, text);
  const { toInnerResponse } = core.loadExtScript("ext:deno_fetch/23_response.js");
  useHeadersOfFetch({
    sent(headers) {
      for (const { 0: name, 1: value } of new SafeArrayIterator(HeadersPrototypeEntries(headers))) {
        if (RegExpPrototypeTest(NOT_ASCII, value)) HeadersPrototypeSet(headers, name, bytesOf(value));
      }
    },
    received(response) {
      for (const entry of new SafeArrayIterator(toInnerResponse(response).headerList)) {
        if (RegExpPrototypeTest(NOT_ASCII, entry[1])) entry[1] = textOf(entry[1]);
      }
    },
  });
}

/** The bytes of a text, as the byte string that Deno's client sends. */
function bytesOf(text) {
  const bytes = encode(text);
  let string = "";
  for (let i = 0; i < bytes.length; i++) string += StringFromCodePoint(bytes[i]);
  return string;
}

/** The text that a byte string stands for. */
function textOf(string) {
  const bytes = new Uint8Array(string.length);
  for (let i = 0; i < string.length; i++) bytes[i] = StringPrototypeCharCodeAt(string, i);
  return decode(bytes);
}
