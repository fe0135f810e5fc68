export default async function late(instance, { note, name }) {
  note(`module loaded by import(): ${name}`);
  instance.register((child, options, done) => {
    note(`options as a function see the parent: ${options.seen}`);
    done();
  }, (parent) => ({ seen: parent.marked, name: "function" }));
  instance.decorate("marked", "yes");
}
