import { proveInSmall } from "./in-small.ts";
import { resultProofs } from "./proofs.ts";

describe("what must come out, at 1/50", () => proveInSmall(resultProofs));
