import nodemailer from "nodemailer";

export default async () => {
  const transport = nodemailer.createTransport({ host: "127.0.0.1", port: Number(process.env.SMTP_PORT), secure: false });
  const info = await transport.sendMail({
    from: "me@example.org",
    to: "you@example.org",
    subject: "Gr\u00fc\u00dfe",
    text: "Hello",
    attachments: [{ filename: "a.txt", content: "attached" }],
  });
  transport.close();
  return { accepted: info.accepted, response: info.response };
};
