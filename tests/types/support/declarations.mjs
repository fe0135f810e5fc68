// What the declarations say, read by TypeScript's own compiler.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** What every class has, and what targets of events declare anew to say more about the events. */
const NOT_COUNTED = new Set(["prototype", ...Object.getOwnPropertyNames(EventTarget.prototype)]);

/**
 * The members of classes, interfaces and, as `typeof NAME`, of constants and constructors. What is inherited from the
 * platform's own classes is left out, as are members that a symbol names.
 * @param {string} folder
 * @param {string[]} names
 * @returns {{ name: string, isOptional: boolean }[]} `CLASS.member` each
 */
export function declaredMembers(folder, names) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".d.ts")).map((name) => join(folder, name));
  const options = { lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"], types: [] };
  const program = ts.createProgram(files, { ...options, target: ts.ScriptTarget.ESNext });
  const checker = program.getTypeChecker();
  const symbols = new Map();
  const modules = files.map((name) => checker.getSymbolAtLocation(program.getSourceFile(name)));
  for (const module of [...modules, ...checker.getAmbientModules()]) {
    // A file that declares a module by its name is none itself.
    if (module === undefined) continue;
    for (const symbol of checker.getExportsOfModule(module)) symbols.set(symbol.name, symbol);
  }
  return names.flatMap((name) => {
    const [, isValue, symbolName] = /^(typeof )?(.+)$/.exec(name);
    const symbol = symbols.get(symbolName);
    if (symbol === undefined) return [];
    const type = isValue ? checker.getTypeOfSymbol(symbol) : checker.getDeclaredTypeOfSymbol(symbol);
    const isPlatform = ({ declarations }) => {
      return declarations?.every((declaration) => program.isSourceFileDefaultLibrary(declaration.getSourceFile()));
    };
    const members = checker.getPropertiesOfType(type).filter((member) => {
      return !isPlatform(member) && !member.name.startsWith("__@") && !NOT_COUNTED.has(member.name);
    });
    return members.map(({ name: member, flags }) => {
      return { name: `${name}.${member}`, isOptional: (flags & ts.SymbolFlags.Optional) !== 0 };
    });
  });
}
