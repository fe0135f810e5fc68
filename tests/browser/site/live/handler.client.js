export default live function () {
  let count = 0;
  const state = { value: "" };
  state.value = `in the browser ${count}`;
  const timer = setInterval(() => {
    count += 1;
    if (count === 3) clearInterval(timer);
  }, 50);
  return state;
}
