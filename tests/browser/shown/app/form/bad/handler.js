export default () => Response.json({ value: "the name is missing" }, { status: 422 });
