/** `make readme`: brings the generated parts of the README up to date. */
import { README } from "./document.ts";
import { withCurrentParts } from "./generated.ts";

await Bun.write(README, withCurrentParts(await Bun.file(README).text()));
