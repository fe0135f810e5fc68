import * as cheerio from "cheerio";

export default () => {
  const $ = cheerio.load("<ul><li class=a>One</li><li>Two</li></ul>");
  $("li.a").attr("title", "first").after("<li>And</li>");
  return { texts: $("li").toArray().map((item) => $(item).text()), html: $("ul").html() };
};
