import http from "node:http";
import FormData from "form-data";

export default async () => {
  const form = new FormData();
  form.append("name", "value");
  form.append("file", Buffer.from("content"), { filename: "a.txt", contentType: "text/plain" });
  const echo = await new Promise((resolve, reject) => {
    const request = http.request(`${process.env.HTTP_SERVER}/echo`, { method: "POST", headers: form.getHeaders() }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(JSON.parse(text));
    });
    request.on("error", reject);
    form.pipe(request);
  });
  return { type: echo.headers["content-type"].split(";")[0], name: echo.body.includes("value"), file: echo.body.includes('filename="a.txt"') };
};
