export class D1Database {}
