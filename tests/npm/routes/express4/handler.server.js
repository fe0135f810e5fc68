import express from "express4";

const app = express();
app.use(express.json(), express.urlencoded({ extended: true }));
app.get("/users/:id", (req, res) => res.json({ id: req.params.id, q: req.query }));
app.post("/users", (req, res) => res.status(201).json(req.body));
app.get("/view", (req, res) => res.type("html").send("<p>hello"));

export default app;
