import express from "express";

const app = express();
app.use(express.json());
app.get("/users/:id", (req, res) => res.json({ id: req.params.id, base: req.baseUrl, url: req.url, q: req.query }));
app.post("/users", (req, res) => res.status(201).cookie("seen", "1").location("/users/7").json(req.body));
app.get("/old", (req, res) => res.redirect("/users/1"));
app.get("/fails", () => {
  throw new Error("on purpose");
});
app.use((error, req, res, next) => res.status(418).json({ error: error.message }));

export default app;
