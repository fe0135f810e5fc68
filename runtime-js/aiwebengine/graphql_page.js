// The page at /graphql, on which people try queries.

export const PAGE = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphQL</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { display: grid; gap: 12px; grid-template-columns: 1fr 1fr; margin: 0; padding: 16px; height: 100vh;
    box-sizing: border-box; grid-template-rows: auto 1fr; }
  header { grid-column: 1 / 3; display: flex; gap: 12px; align-items: center; }
  h1 { font-size: 18px; margin: 0; flex: 1; }
  button { font: inherit; padding: 6px 16px; border: 0; border-radius: 6px; background: #2563eb; color: white; }
  textarea, pre { margin: 0; padding: 12px; border: 1px solid #8884; border-radius: 8px; overflow: auto;
    font: 13px/1.5 ui-monospace, monospace; resize: none; background: transparent; color: inherit; }
  @media (max-width: 700px) { body { grid-template-columns: 1fr; grid-template-rows: auto 1fr 1fr; } header { grid-column: 1; } }
</style>
</head>
<body>
<header><h1>GraphQL</h1><button id="run">Run (Ctrl+Enter)</button></header>
<textarea id="query" spellcheck="false" aria-label="Query">{ __schema { queryType { fields { name } } subscriptionType { fields { name } } } }</textarea>
<pre id="result" aria-live="polite"></pre>
<script>
  const query = document.getElementById("query"), result = document.getElementById("result");
  let running = null;
  async function run() {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    result.textContent = "";
    const isSubscription = /^\\s*subscription\\b/.test(query.value);
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ query: query.value });
    const response = await fetch(isSubscription ? "/graphql/sse" : "/graphql", { method: "POST", headers, body, signal });
    if (!isSubscription || !response.ok) {
      result.textContent = JSON.stringify(await response.json(), null, 2);
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "";;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (rest + value).split("\\n\\n");
      rest = events.pop();
      for (const event of events) {
        if (event.startsWith("data: ")) result.textContent += JSON.stringify(JSON.parse(event.slice(6)), null, 2) + "\\n";
      }
    }
  }
  const start = () => run().catch((error) => { if (error.name !== "AbortError") result.textContent = String(error); });
  document.getElementById("run").onclick = start;
  query.onkeydown = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) start(); };
</script>
</body>
</html>
`;
