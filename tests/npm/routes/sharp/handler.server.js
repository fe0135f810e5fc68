export default async () => {
  try {
    const { default: sharp } = await import("sharp");
    await sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } }).png().toBuffer();
    return { error: null };
  } catch (error) {
    return { error: error.message };
  }
};
