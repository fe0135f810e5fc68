export default async () => {
  try {
    const { PrismaClient } = await import("@prisma/client");
    new PrismaClient();
    return { error: null };
  } catch (error) {
    return { error: error.message };
  }
};
