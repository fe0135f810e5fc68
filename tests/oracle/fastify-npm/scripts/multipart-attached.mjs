export const application = "multipart-attached";

export const scripts = {
  "fields in the body": async (t) => {
    const body = "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\ncontent-type: text/plain\r\n\r\nfile\r\n--b--\r\n";
    await t.request("POST", "/", { headers: { "content-type": "multipart/form-data; boundary=b" }, body });
  },
};
