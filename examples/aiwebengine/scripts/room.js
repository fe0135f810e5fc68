// A reading room: everybody who is there sees the notes of the others at once, in the shelf that they follow.

registerWebStream("/room", "follower");
registerGraphQLQuery("notes", "type Query { notes(shelf: String): [Note!]! } type Note { shelf: String! text: String! at: String! }", "notes");
registerGraphQLMutation("write", "type Mutation { write(shelf: String!, text: String!): Note! }", "write");
registerGraphQLSubscription("written", "type Subscription { written: Note }", "lastNote");

const SHELVES = ["ideas", "questions", "links"];
const LONGEST = 280;

register("/notes", "list", "GET");
register("/notes", "post", "POST");

/** The metadata of a client: without a shelf it receives all notes. */
function follower(context) {
  return context.query.shelf ? { shelf: context.query.shelf } : {};
}

function all() {
  return JSON.parse(sharedStorage.getItem("notes") ?? "[]");
}

function keep(shelf, text) {
  if (!SHELVES.includes(shelf)) throw new Error(`There is no shelf "${shelf}".`);
  const note = { shelf, text: String(text ?? "").trim().slice(0, LONGEST), at: new Date().toISOString() };
  if (note.text === "") throw new Error("A note has a text.");
  sharedStorage.setItem("notes", JSON.stringify([...all(), note].slice(-100)));
  sendStreamMessageFiltered("/room", note, { shelf });
  sendSubscriptionMessage("written", note);
  return note;
}

function list(req) {
  return { shelves: SHELVES, notes: all().filter(({ shelf }) => !req.query.shelf || shelf === req.query.shelf) };
}

function post(req) {
  try {
    return ResponseBuilder.json(keep(req.form.shelf, req.form.text), 201);
  } catch (error) {
    return ResponseBuilder.error(400, error.message);
  }
}

function notes({ args }) {
  return list({ query: args }).notes;
}

function write({ args }) {
  return keep(args.shelf, args.text);
}

function lastNote() {
  return all().at(-1);
}
