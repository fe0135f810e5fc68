import { marked } from "marked";

export default () => ({ html: marked.parse("# Title\n\n* **one**\n* `two`\n") });
