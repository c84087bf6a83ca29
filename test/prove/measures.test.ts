import { proveInSmall } from "./in-small.ts";
import { measuringProofs } from "./proofs.ts";

describe("what must be measured, at 1/50", () => proveInSmall(measuringProofs));
