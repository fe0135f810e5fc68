import connect from "connect";

const app = connect();
app.use("/deep", (req, res) => res.end(JSON.stringify({ url: req.url, original: req.originalUrl })));
app.use("/fails", (req, res, next) => next(new Error("an error in connect")));

export default app;
