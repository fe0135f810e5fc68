interface State {
  value: string;
}

export default (event: { url: URL }): State => ({ value: `typed at ${event.url.pathname}` as string });
