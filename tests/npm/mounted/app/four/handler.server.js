import express from "express4";

const app = express();
app.use(express.json(), express.urlencoded({ extended: false }));
app.use("/files", express.static(new URL("../../public/five", import.meta.url).pathname));
app.get("/users/:id", (req, res) => res.json({ id: req.params.id, original: req.originalUrl }));
app.post("/echo", (req, res) => res.json(req.body));
app.get("/download", (req, res) => res.attachment("a.txt").send("text"));

export default app;
