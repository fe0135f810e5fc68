import { Chalk } from "chalk";

export default () => ({ red: new Chalk({ level: 1 }).red("no"), plain: new Chalk({ level: 0 }).bold("yes") });
