// The newest activities; later ones come as events from `/api/events`.

import { activities } from "../../activities.js";

export const GET = () => activities.toReversed().slice(0, 20);
