import { release } from "../driver.js";

export default () => release();
