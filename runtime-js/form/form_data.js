// Forms: what formData() reads is taken apart by the host, within limits. Bodies that cannot be read: a 400.

import { core } from "ext:core/mod.js";
import { op_form_multipart, op_form_urlencoded, op_request_ill_body } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import {
  ArrayPrototypePush,
  FunctionPrototypeCall,
  JSONParse,
  ObjectDefineProperty,
  ObjectKeys,
  SafeArrayIterator,
  SyntaxError,
  TypedArrayPrototypeSubarray,
  TypeError,
} from "../primordials.js";

const { decode } = core;

const FIELDS = 6;

/** Whether a file with an empty name, which browsers send where none was chosen, is a text. */
let areNamelessTexts = false;

/** For Workers, which read them so. */
export function takeNamelessFilesAsTexts() {
  areNamelessTexts = true;
}

/** What Deno's bodies call for `multipart/form-data`. */
function parseMultipart(body, boundary) {
  const { formDataFromEntries } = core.loadExtScript("ext:deno_fetch/21_formdata.js");
  const { File } = core.loadExtScript("ext:deno_web/09_file.js");
  const parts = op_form_multipart(body, boundary ?? "");
  const entries = [];
  for (let i = 0; i < parts.length; i += FIELDS) {
    const text = parts[i + 1];
    const bytes = () => TypedArrayPrototypeSubarray(body, parts[i + 4], parts[i + 5]);
    const isText = parts[i + 2] === "" && areNamelessTexts;
    const value = text ?? (isText ? decode(bytes()) : new File([bytes()], parts[i + 2], { type: parts[i + 3] }));
    ArrayPrototypePush(entries, { name: parts[i], value });
  }
  return formDataFromEntries(entries);
}

/** What they call for `application/x-www-form-urlencoded`. */
function parseUrlEncoded(body) {
  const flat = op_form_urlencoded(body);
  const entries = [];
  for (let i = 0; i < flat.length; i += 2) ArrayPrototypePush(entries, [flat[i], flat[i + 1]]);
  return entries;
}

// Both are taken out of these objects when bodies are first used.
core.loadExtScript("ext:deno_fetch/21_formdata.js").parseFormData = parseMultipart;
core.loadExtScript("ext:deno_web/00_url.js").parseUrlEncoded = parseUrlEncoded;

/**
 * A handler that does not handle a form or JSON that cannot be read answers what was wrong with it: that is no defect
 * of the handler, if the client of its exchange sent the body.
 * @param {object} RequestPrototype
 * @param {object} received
 * @param {(request: Request) => string | null} received.takeText the text of a body that is there already
 * @param {(request: Request) => number | undefined} received.senderOf the number of the exchange whose client sent the body
 */
export function answerForIllBodies(RequestPrototype, { takeText, senderOf }) {
  const blame = (exchange, request, what, isTooLarge) => {
    if (!exchange || senderOf(request) !== exchange.id) return;
    op_request_ill_body(exchange.id, isTooLarge, `The request's ${what}.\n`);
  };
  const { formData: readForm, json: readJson } = RequestPrototype;
  const readers = {
    async formData() {
      const exchange = currentExchange();
      try {
        return await FunctionPrototypeCall(readForm, this);
      } catch (error) {
        const isTooLarge = error?.name === "QuotaExceededError";
        // The handler reads the body a second time.
        const isIll = error instanceof TypeError && error.message !== "Body already consumed";
        if (isTooLarge || isIll) blame(exchange, this, `form could not be read: ${error.message}`, isTooLarge);
        throw error;
      }
    },
    async json() {
      const exchange = currentExchange();
      try {
        const text = takeText(this);
        if (text !== null) return JSONParse(text);
        return await FunctionPrototypeCall(readJson, this);
      } catch (error) {
        if (error instanceof SyntaxError) blame(exchange, this, `body is not JSON: ${error.message}`, false);
        throw error;
      }
    },
  };
  for (const name of new SafeArrayIterator(ObjectKeys(readers))) {
    const property = { configurable: true, enumerable: true, value: readers[name], writable: true };
    ObjectDefineProperty(RequestPrototype, name, property);
  }
}
