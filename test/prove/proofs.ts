/**
 * Every proof, in the order in which they are run.
 */
import { REAL_API } from "../kubernetes/cluster.ts";
import { closingUpstream } from "./closing-upstream.ts";
import { dynamicUpstream } from "./dynamic-upstream.ts";
import { faults } from "./faults.ts";
import { hostile } from "./hostile.ts";
import { isolation } from "./isolation.ts";
import { isolationMatrix } from "./isolation-matrix.ts";
import { rpz } from "./lists/rpz.ts";
import { scale } from "./lists/scale.ts";
import { mainJob } from "./main-job.ts";
import { memory } from "./memory.ts";
import { meshChurn } from "./mesh/churn.ts";
import { meshCold } from "./mesh/cold.ts";
import { egress } from "./mesh/egress.ts";
import { meshIsolation } from "./mesh/mesh-isolation.ts";
import { meshTable } from "./mesh/mesh-table.ts";
import { outage } from "./mesh/outage.ts";
import { resolvers } from "./mesh/resolvers.ts";
import { meshScale } from "./mesh/scale.ts";
import { sharedVips } from "./mesh/shared-vips.ts";
import { vips } from "./mesh/vips.ts";
import { page } from "./page.ts";
import type { Proof } from "./proof.ts";
import { push } from "./push.ts";
import { reference } from "./reference.ts";
import { rollback } from "./rollback.ts";
import { serviceAway } from "./service-away.ts";
import { starving } from "./starving.ts";
import { cost } from "./telemetry/cost.ts";
import { hostileNames } from "./telemetry/hostile-names.ts";
import { hungService } from "./telemetry/hung-service.ts";
import { store } from "./telemetry/store.ts";
import { truth } from "./telemetry/truth.ts";
import { transports } from "./transports.ts";
import { tricks } from "./tricks/tricks.ts";
import { upstreamAway } from "./upstream-away.ts";

/** What comes out whatever else the machine does meanwhile. */
export const resultProofs: Proof[] = [
  mainJob,
  transports,
  isolation,
  isolationMatrix,
  tricks,
  reference,
  faults,
  closingUpstream,
  rpz,
  meshTable,
  vips,
  ...(REAL_API === undefined ? [] : [sharedVips]),
  resolvers,
  truth,
  hostileNames,
];

/** What judges times, memory or a rate, and has the machine to itself. */
export const measuringProofs: Proof[] = [
  push,
  rollback,
  dynamicUpstream,
  serviceAway,
  upstreamAway,
  hostile,
  starving,
  memory,
  scale,
  outage,
  egress,
  meshScale,
  meshChurn,
  meshIsolation,
  meshCold,
  hungService,
  store,
  cost,
  page,
];

export const proofs: Proof[] = [...resultProofs, ...measuringProofs];
