import { BSON, MongoClient, ObjectId } from "mongodb";

export default async () => {
  const client = new MongoClient(`mongodb://127.0.0.1:${process.env.CLOSED_PORT}`, { serverSelectionTimeoutMS: 50 });
  const failed = await client.connect().catch((error) => error.name);
  await client.close();
  const id = new ObjectId("64b7f0f0f0f0f0f0f0f0f0f0");
  return { failed, id: id.toHexString(), copy: BSON.deserialize(BSON.serialize({ a: [1, "b"], id })) };
};
