import connect from "connect";

const app = connect();
app.use((req, res, next) => {
  res.setHeader("X-First", "1");
  next();
});
app.use("/deep", (req, res) => res.end(JSON.stringify({ url: req.url, original: req.originalUrl })));

export default app;
