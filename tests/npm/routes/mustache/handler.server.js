import Mustache from "mustache";

export default () => ({ html: Mustache.render("{{#names}}<li>{{.}}</li>{{/names}}{{{raw}}}", { names: ["a", "<b>"], raw: "<hr>" }) });
