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

export const proofs: Proof[] = [
  mainJob,
  transports,
  isolation,
  isolationMatrix,
  tricks,
  push,
  rollback,
  reference,
  faults,
  dynamicUpstream,
  serviceAway,
  upstreamAway,
  closingUpstream,
  hostile,
  starving,
  memory,
  rpz,
  scale,
  meshTable,
  outage,
  vips,
  ...(REAL_API === undefined ? [] : [sharedVips]),
  egress,
  meshScale,
  meshChurn,
  meshIsolation,
  meshCold,
  resolvers,
  truth,
  hungService,
  hostileNames,
  store,
  cost,
  page,
];
