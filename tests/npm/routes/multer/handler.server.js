import express from "express";
import multer from "multer";

const app = express();
app.post("/upload", multer({ storage: multer.memoryStorage() }).single("file"), (req, res) => {
  res.json({ name: req.body.name, file: req.file.originalname, size: req.file.size });
});

export default app;
