let runs = 0;

export async function* GET() {
  runs += 1;
  yield { value: `run ${runs}, state 1` };
  yield { value: `run ${runs}, state 2` };
}
