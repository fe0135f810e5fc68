export default async () => {
  const { PrismaClient } = await import("@prisma/client");
  return new PrismaClient();
};
