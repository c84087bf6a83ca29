import assert from "node:assert/strict";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { HealthCheckResponse__Output } from "../../../extproc/gen/types/grpc/health/v1/HealthCheckResponse.ts";
import { healthService } from "../../../extproc/server/health.ts";
import { Harness, until } from "./harness.ts";

const { Check, Watch } = healthService;
type Response = HealthCheckResponse__Output;

describe("health", () => {
  let harness: Harness;
  afterEach(() => harness.stop());

  function check(service: string): Promise<Response> {
    return new Promise((resolve, reject) => {
      harness
        .client()
        .makeUnaryRequest(
          Check.path,
          Check.requestSerialize,
          Check.responseDeserialize,
          { service },
          (error: ServiceError | null, response) => (error ? reject(error) : resolve(response as Response)),
        );
    });
  }

  it("is serving with a policy, without a token", async () => {
    harness = await Harness.start({ token: "secret" });
    assert.equal((await check("")).status, 1);
    assert.equal((await check("dns.mesh.v1.Sync")).status, 1);
    await assert.rejects(check("other"), ({ code }: ServiceError) => code === status.NOT_FOUND);
    assert.equal((await harness.http({ path: "/readyz" })).status, 200);
    assert.equal((await harness.http({ path: "/healthz" })).status, 200);
  });

  it("is not serving, and silent to workers, until there is a policy", async () => {
    // A directory without valid content yet.
    harness = await Harness.start({
      sourceOf: (store) => ({
        current: () => undefined,
        status: () => store.status(),
        onChange: (listener) => store.onChange(listener),
        resources: () => store.resources(),
        consider: async () => [],
        lint: async () => [],
        imagine: (change) => store.imagine(change),
        close: async () => {},
      }),
    });
    assert.equal((await check("")).status, 2);
    assert.equal((await harness.http({ path: "/readyz" })).status, 503);
    assert.equal((await harness.http({ path: "/healthz" })).status, 200);
    const seen: number[] = [];
    const call = harness
      .client()
      .makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { service: "" });
    call.on("data", (response) => seen.push(Number((response as Response).status)));
    call.on("error", () => {});
    await until(() => seen.length === 1, "a status");
    await harness.store.apply({ delete: [{ kind: "DnsPolicy", name: "no-com" }] });
    await until(() => seen.length === 2, "another status");
    assert.deepEqual(seen, [2, 1]);
  });
});
