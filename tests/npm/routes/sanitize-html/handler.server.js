import sanitizeHtml from "sanitize-html";

export default () => ({
  html: sanitizeHtml('<p onclick="x()">Hi <script>alert(1)</script><a href="javascript:x()">a</a> <b>b</b></p>'),
});
