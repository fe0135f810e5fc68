import ejs from "ejs";

export default async () => ({
  html: ejs.render("<% for (const name of names) { %><li><%= name %></li><% } %>", { names: ["a", "<b>"] }),
  file: (await ejs.renderFile(new URL("./page.ejs", import.meta.url).pathname, { title: "From a file" })).trim(),
});
