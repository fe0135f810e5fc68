import { XMLBuilder, XMLParser } from "fast-xml-parser";

export default () => {
  const parsed = new XMLParser({ ignoreAttributes: false }).parse('<a id="1"><b>x</b><b>2</b></a>');
  return { parsed, text: new XMLBuilder({ ignoreAttributes: false }).build(parsed) };
};
