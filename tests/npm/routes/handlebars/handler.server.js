import Handlebars from "handlebars";

Handlebars.registerHelper("loud", (text) => text.toUpperCase());
const template = Handlebars.compile("{{#each names}}<li>{{loud this}}</li>{{/each}}{{> foot}}");
Handlebars.registerPartial("foot", "<p>{{names.length}}</p>");

export default () => ({ html: template({ names: ["a", "<b>"] }) });
