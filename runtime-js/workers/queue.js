export class QueueProducer {}
export function startConsumers() {}
