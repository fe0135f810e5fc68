import OpenAI from "openai";

export default async () => {
  const client = new OpenAI({ apiKey: "sk-test", baseURL: `${process.env.HTTP_SERVER}/openai`, maxRetries: 0 });
  const answer = await client.chat.completions.create({ model: "test", messages: [{ role: "user", content: "Hello" }] });
  let streamed = "";
  const stream = await client.chat.completions.create({ model: "test", stream: true, messages: [] });
  for await (const part of stream) streamed += part.choices[0].delta.content;
  return { answer: answer.choices[0].message.content, streamed };
};
