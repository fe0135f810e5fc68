export class KVNamespace {}
