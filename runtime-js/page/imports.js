// Templates of a page, and what imports show of them, as OOHTML has it. A template has templates and fragments in it,
// which `app/products#card` names.

import {
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypeFindLast,
  ArrayPrototypeIncludes,
  ArrayPrototypeMap,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeRegExp,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeTrim,
} from "../primordials.js";

/** The attribute that names a template or a fragment. */
const DEF = "def";
/** The attribute that names the template whose content counts as defined at an element. */
const CONTEXT = "importscontext";

/** How far templates may extend each other. */
const MAX_INHERITED = 32;

const STEP = new SafeRegExp(/\/|(?<=\w)(?=#)/);
const SPACES = new SafeRegExp(/\s+/);

/**
 * What a name means somewhere: a template, an element, or elements; with a template the space of names in it.
 * @typedef {{ value: Element | Element[], space: Space | null } | undefined} Found
 * @typedef {(name: string, depth: number) => Found} Space
 */

/**
 * What a reference means at an element.
 * @param {Element} element where something is imported
 * @param {string} reference `app/products#card`; `/app` from the document, `@name/app` from the context of that name
 * @param {boolean} isStrict whether nothing is looked for beyond an `importscontext`, and only `scoped` templates belong
 *   to where they stand, as in OOHTML; else the nearest that knows the name counts
 * @returns {Element | Element[] | undefined} a template for a name without `#`
 */
export function imported(element, reference, isStrict) {
  const { 1: target, 2: rest } = RegExpPrototypeExec(/^(?:@([^/#]*))?([^]*)$/, StringPrototypeTrim(reference));
  const isOfDocument = target === undefined && StringPrototypeStartsWith(rest, "/");
  const steps = ArrayPrototypeMap(StringPrototypeSplit(rest, STEP), (step) => StringPrototypeTrim(step));
  const names = ArrayPrototypeFilter(steps, (step) => step !== "");
  if (names.length === 0) return undefined;
  for (let at = element; at !== null; at = at.parentElement) {
    const isTop = at.parentElement === null;
    if (isOfDocument && !isTop) continue;
    if (target !== undefined && at.getAttribute("contextname") !== target) continue;
    const found = follow(spaceAt(at, isTop, isStrict), names);
    if (found !== undefined) return found.value;
    if (isStrict && at.hasAttribute(CONTEXT)) return undefined;
  }
  return undefined;
}

function follow(space, names) {
  let found;
  for (const name of new SafeArrayIterator(names)) {
    if (space === null) return undefined;
    found = space(name, 0);
    if (found === undefined) return undefined;
    space = found.space;
  }
  return found;
}

/** The templates among an element's children: those that are `scoped` to it, or all. */
function ownTemplates(element, isScoped) {
  const children = [...new SafeArrayIterator(element.children)];
  return ArrayPrototypeFilter(children, (child) => isTemplate(child) && (!isScoped || child.hasAttribute("scoped")));
}

function isTemplate(element) {
  return element.localName === "template" && element.hasAttribute(DEF);
}

function defOf(element) {
  return StringPrototypeTrim(element.getAttribute(DEF) ?? "");
}

/** @returns {Space} what is defined at an element */
function spaceAt(element, isTop, isStrict) {
  const reference = element.getAttribute(CONTEXT);
  return (name, depth) => {
    const own = ownTemplates(element, isStrict);
    const near = ArrayPrototypeFindLast(own, (template) => defOf(template) === name);
    const template = near ?? (isTop ? ArrayPrototypeFindLast(templatesOf(element), (it) => defOf(it) === name) : undefined);
    if (template !== undefined) return { value: template, space: spaceIn(template, null) };
    if (reference === null || isTop || depth > MAX_INHERITED) return undefined;
    return inheritedFrom(element.parentElement, StringPrototypeTrim(reference), isStrict)?.(name, depth + 1);
  };
}

/** The space that an element's `importscontext` names. */
function inheritedFrom(element, reference, isStrict) {
  if (reference !== "") {
    const template = imported(element, reference, isStrict);
    return isFound(template) ? spaceIn(template, null) : undefined;
  }
  return (name) => {
    const found = imported(element, name, isStrict);
    return found === undefined ? undefined : { value: found, space: isFound(found) ? spaceIn(found, null) : null };
  };
}

/** Whether a template was found, and not elements or nothing. */
function isFound(found) {
  return found !== undefined && !ArrayIsArray(found) && isTemplate(found);
}

/** The templates of a document that are not `scoped`, wherever they stand. */
function templatesOf(top) {
  const all = top.querySelectorAll(`template[${DEF}]`);
  return ArrayPrototypeFilter([...new SafeArrayIterator(all)], (template) => !template.hasAttribute("scoped"));
}

/**
 * @param {Element} template
 * @param {Space | null} outer of the template that it stands in
 * @returns {Space} what is defined in a template
 */
function spaceIn(template, outer) {
  const space = (name, depth) => {
    const own = definedIn(template, name);
    if (own !== undefined) return { value: own, space: isFound(own) ? spaceIn(own, space) : null };
    if (outer === null || depth > MAX_INHERITED) return undefined;
    const base = StringPrototypeTrim(template.getAttribute("extends") ?? "");
    const extended = base === "" ? undefined : outer(base, depth + 1)?.space?.(name, depth + 1);
    if (extended !== undefined) return extended;
    const list = StringPrototypeSplit(StringPrototypeTrim(template.getAttribute("inherits") ?? ""), SPACES);
    const isInherited = ArrayPrototypeIncludes(list, name) || ArrayPrototypeIncludes(list, "*");
    return isInherited && !StringPrototypeStartsWith(name, "#") ? outer(name, depth + 1) : undefined;
  };
  return space;
}

/** What a name means at a template itself: `#` stands for all of its fragments, `#card` for one. */
function definedIn(template, name) {
  const children = [...new SafeArrayIterator(template.content.children)];
  if (!StringPrototypeStartsWith(name, "#")) {
    return ArrayPrototypeFindLast(children, (child) => isTemplate(child) && defOf(child) === name);
  }
  const fragments = ArrayPrototypeFilter(children, (child) => !isTemplate(child));
  if (name === "#") return fragments.length > 0 ? fragments : undefined;
  const wanted = StringPrototypeSlice(name, 1);
  return ArrayPrototypeFindLast(fragments, (child) => defOf(child) === wanted);
}

/**
 * The elements that an `<import>` shows.
 * @param {Element} element where it stands
 * @param {string} reference its `ref`
 * @param {boolean} isStrict
 * @returns {Element[]}
 */
export function fragmentsFor(element, reference, isStrict) {
  const isNamed = StringPrototypeIncludes(reference, "#");
  const found = imported(element, isNamed ? reference : `${reference}#`, isStrict) ?? [];
  return ArrayIsArray(found) ? found : [found];
}
