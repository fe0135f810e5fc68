// Parts of a handler's Response, where its request asks for ranges of bytes (RFC 9110 section 14).
//
// A body of bytes and a Blob can be had in parts; any other body where the Response has `Accept-Ranges: bytes`, a
// stream if it has a `Content-Length`, too. `Accept-Ranges: none` forbids it. Who asks in a way that is not
// understood gets the whole.

import { op_crypto_uuid, op_request_header } from "ext:core/ops";
import {
  ArrayBufferIsView,
  ArrayBufferViewPrototypeGetBuffer,
  ArrayBufferViewPrototypeGetByteLength,
  ArrayBufferViewPrototypeGetByteOffset,
  ArrayPrototypeFilter,
  ArrayPrototypeFind,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeReduce,
  Blob,
  BlobPrototypeGetSize,
  BlobPrototypeSlice,
  BlobPrototypeStream,
  MathMax,
  MathMin,
  Number,
  ReadableStream,
  ReadableStreamDefaultControllerPrototypeClose,
  ReadableStreamDefaultControllerPrototypeEnqueue,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetReader,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  SafeArrayIterator,
  String,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  TextEncoder,
  TextEncoderPrototypeEncode,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} from "../primordials.js";

/** With more ranges than these the whole is sent (RFC 9110 section 14.2). */
const MAX_RANGES = 16;

/**
 * What is sent in place of the whole.
 * @typedef {object} Part
 * @property {number} status 206 or 416
 * @property {[string, string][]} headers
 * @property {Uint8Array | ReadableStream | null} body
 */

/**
 * The part of a Response that its request asks for; null: all of it.
 * @param {[string, string][]} headers of the Response
 * @param {{ streamOrStatic: { body: unknown }, source: unknown }} inner Deno's body
 * @returns {Part | null}
 */
export function partOf(exchange, headers, inner) {
  const wanted = op_request_header(exchange.id, "range");
  if (wanted === null) return null;
  const header = (name) => ArrayPrototypeFind(headers, ({ 0: of }) => StringPrototypeToLowerCase(of) === name)?.[1];
  if (header("content-range") !== undefined || header("content-encoding") !== undefined) return null;
  const accepts = header("accept-ranges");
  if (accepts !== undefined && StringPrototypeToLowerCase(accepts) !== "bytes") return null;
  const content = contentOf(inner, accepts !== undefined, header("content-length"));
  if (content === null || !isSame(op_request_header(exchange.id, "if-range"), header)) return null;
  const { total } = content;
  const ranges = readRanges(wanted, total);
  if (ranges === null) return null;
  const without = (names) => ArrayPrototypeFilter(headers, ({ 0: name }) => {
    return !ArrayPrototypeIncludes(names, StringPrototypeToLowerCase(name));
  });
  if (ranges.length === 0) {
    const rest = without(["accept-ranges", "content-length", "content-type"]);
    return { status: 416, headers: [...new SafeArrayIterator(rest), ["accept-ranges", "bytes"], ["content-range", `bytes */${total}`]], body: null };
  }
  if (ranges.length === 1) {
    const { 0: first, 1: last } = ranges[0];
    const kept = [
      ...new SafeArrayIterator(without(["accept-ranges", "content-length"])),
      ["accept-ranges", "bytes"],
      ["content-range", `bytes ${first}-${last}/${total}`],
      ["content-length", String(last - first + 1)],
    ];
    return { status: 206, headers: kept, body: content.cut(first, last) };
  }
  // A stream passes once, and its ranges may be in any order.
  if (content.blob === null) return null;
  return byteRanges(ranges, content, header("content-type"), without(["accept-ranges", "content-length", "content-type"]));
}

/** A body's length, and what gives a part of it; null where it is only had as a whole. */
function contentOf({ streamOrStatic, source }, isAllowed, length) {
  const { body } = streamOrStatic;
  if (source instanceof Blob) {
    const cut = (first, last) => BlobPrototypeStream(BlobPrototypeSlice(source, first, last + 1));
    return { total: BlobPrototypeGetSize(source), cut, blob: () => source };
  }
  if (ArrayBufferIsView(body) || (typeof body === "string" && isAllowed)) {
    const bytes = typeof body === "string" ? TextEncoderPrototypeEncode(new TextEncoder(), body) : body;
    const cut = (first, last) => TypedArrayPrototypeSubarray(bytes, first, last + 1);
    return { total: ArrayBufferViewPrototypeGetByteLength(bytes), cut, blob: () => new Blob([bytes]) };
  }
  if (!isAllowed || !RegExpPrototypeTest(/^[0-9]{1,15}$/, length ?? "")) return null;
  return { total: Number(length), cut: (first, last) => cutStream(streamOrStatic, first, last), blob: null };
}

/** Whether the client's parts are of this version: a date that is the same, or a strong tag (RFC 9110 section 13.1.5). */
function isSame(condition, header) {
  if (condition === null) return true;
  if (StringPrototypeStartsWith(condition, '"')) return condition === header("etag");
  return !StringPrototypeStartsWith(condition, "W/") && condition === header("last-modified");
}

/** The ranges that there are, as first and last byte; null for what is no list of ranges of bytes. */
function readRanges(text, total) {
  const list = RegExpPrototypeExec(/^\s*bytes\s*=(.*)$/i, text)?.[1];
  if (list === undefined) return null;
  const ranges = [];
  const specs = StringPrototypeSplit(list, ",");
  if (specs.length > MAX_RANGES) return null;
  for (const spec of new SafeArrayIterator(specs)) {
    const found = RegExpPrototypeExec(/^\s*([0-9]*)\s*-\s*([0-9]*)\s*$/, spec);
    if (found === null || (found[1] === "" && found[2] === "")) return null;
    const isSuffix = found[1] === "";
    const first = isSuffix ? MathMax(total - Number(found[2]), 0) : Number(found[1]);
    const last = isSuffix || found[2] === "" ? total - 1 : MathMin(Number(found[2]), total - 1);
    if (!isSuffix && found[2] !== "" && Number(found[2]) < first) return null;
    if (first <= last) ArrayPrototypePush(ranges, [first, last]);
  }
  // There are no more bytes than these.
  const sum = ArrayPrototypeReduce(ranges, (all, { 0: first, 1: last }) => all + last - first + 1, 0);
  return ranges.length > 1 && sum > total ? null : ranges;
}

/** Several ranges in one body (RFC 9110 section 14.6). */
function byteRanges(ranges, { total, blob }, type, headers) {
  const boundary = op_crypto_uuid();
  const whole = blob();
  const parts = [];
  for (const { 0: first, 1: last } of new SafeArrayIterator(ranges)) {
    const kind = type === undefined ? "" : `content-type: ${type}\r\n`;
    const head = `--${boundary}\r\n${kind}content-range: bytes ${first}-${last}/${total}\r\n\r\n`;
    ArrayPrototypePush(parts, head, BlobPrototypeSlice(whole, first, last + 1), "\r\n");
  }
  ArrayPrototypePush(parts, `--${boundary}--\r\n`);
  const body = new Blob(parts);
  const all = [
    ...new SafeArrayIterator(headers),
    ["accept-ranges", "bytes"],
    ["content-type", `multipart/byteranges; boundary=${boundary}`],
    ["content-length", String(BlobPrototypeGetSize(body))],
  ];
  return { status: 206, headers: all, body: BlobPrototypeStream(body) };
}

function bytesOf(view) {
  const buffer = ArrayBufferViewPrototypeGetBuffer(view);
  return new Uint8Array(buffer, ArrayBufferViewPrototypeGetByteOffset(view), ArrayBufferViewPrototypeGetByteLength(view));
}

/** The bytes of a stream from `first` to `last`. What comes after them is not read. */
function cutStream(stream, first, last) {
  const reader = ReadableStreamPrototypeGetReader(stream);
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      while (true) {
        const { value, done } = await ReadableStreamDefaultReaderPrototypeRead(reader);
        if (done) return ReadableStreamDefaultControllerPrototypeClose(controller);
        const bytes = typeof value === "string" ? TextEncoderPrototypeEncode(new TextEncoder(), value) : value;
        const start = at;
        at += ArrayBufferViewPrototypeGetByteLength(bytes);
        if (at <= first) continue;
        const view = bytes instanceof Uint8Array ? bytes : bytesOf(bytes);
        const part = TypedArrayPrototypeSubarray(view, MathMax(first - start, 0), last + 1 - start);
        ReadableStreamDefaultControllerPrototypeEnqueue(controller, part);
        if (at <= last) return;
        await ReadableStreamDefaultReaderPrototypeCancel(reader, undefined);
        return ReadableStreamDefaultControllerPrototypeClose(controller);
      }
    },
    cancel: (reason) => ReadableStreamDefaultReaderPrototypeCancel(reader, reason),
  }, { highWaterMark: 0 });
}
