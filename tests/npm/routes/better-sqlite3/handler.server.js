import Database from "better-sqlite3";

export default () => {
  try {
    new Database(":memory:");
    return { error: null };
  } catch (error) {
    return { error: error.message };
  }
};
