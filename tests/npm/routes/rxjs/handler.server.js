import { firstValueFrom, interval, of } from "rxjs";
import { bufferCount, map, mergeMap, take, toArray } from "rxjs/operators";

export default async () => ({
  squares: await firstValueFrom(of(1, 2, 3).pipe(map((n) => n * n), toArray())),
  ticks: await firstValueFrom(interval(1).pipe(take(4), bufferCount(2), mergeMap((pair) => of(pair)), toArray())),
});
