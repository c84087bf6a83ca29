/**
 * A large cluster, each object by its number: services in many namespaces with ten endpoints each, one in ten of them
 * headless.
 */
import { type ApiList, type ApiObject, StandInApi } from "../../extproc/mesh/stand-in-api.ts";

export interface CrowdSize {
  readonly services: number;
  readonly namespaces: number;
}

export const ENDPOINTS = 10;
export const SERVICES_PATH = "/api/v1/services";
export const SLICES_PATH = "/apis/discovery.k8s.io/v1/endpointslices";
export const NAMESPACES_PATH = "/api/v1/namespaces";

const CREATED = { resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" };

export function crowd(size: CrowdSize): Record<string, () => ApiList> {
  const list = (length: number, at: (index: number) => ApiObject) => () => ({ length, at });
  return {
    [NAMESPACES_PATH]: list(size.namespaces, (index) => ({ metadata: { name: `n${index}`, ...CREATED } })),
    [SERVICES_PATH]: list(size.services, (index) => service(index, size)),
    [SLICES_PATH]: list(size.services, (index) => slice(index, size)),
  };
}

export function startCrowd(size: CrowdSize): Promise<StandInApi> {
  return StandInApi.start(crowd(size));
}

export function isHeadless(index: number): boolean {
  return index % 10 === 0;
}

export function namespaceOf(index: number, { namespaces }: CrowdSize): string {
  return `n${index % namespaces}`;
}

export function nameOf(index: number, size: CrowdSize): string {
  return `s${index}.${namespaceOf(index, size)}.svc.cluster.local`;
}

/** Names that a policy service makes of all of it. */
export function namesOf({ services, namespaces }: CrowdSize): number {
  const headless = Math.ceil(services / 10);
  // The zone's own four; of a namespace, below svc and pod; of a service, its name, that of its port and the one between,
  // and names for addresses; of an endpoint, its name and that of its address.
  return 4 + 2 * namespaces + (services - headless) * 4 + headless * (3 + 2 * ENDPOINTS);
}

/** In 10.0.0.0/8, another one for each number below 2^24. */
export function addressOf(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** Endpoints come first, then cluster addresses. */
export function clusterAddressOf(index: number, { services }: CrowdSize): string {
  return addressOf(services * ENDPOINTS + index);
}

export function service(index: number, size: CrowdSize): ApiObject {
  const clusterIP = isHeadless(index) ? "None" : clusterAddressOf(index, size);
  return {
    metadata: { name: `s${index}`, namespace: namespaceOf(index, size), labels: { app: `s${index}` }, ...CREATED },
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      selector: { app: `s${index}` },
      ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
    },
  };
}

export function slice(index: number, size: CrowdSize, addresses = addressesOf(index)): ApiObject {
  const namespace = namespaceOf(index, size);
  return {
    metadata: {
      name: `s${index}-abcde`,
      namespace,
      labels: {
        app: `s${index}`,
        "kubernetes.io/service-name": `s${index}`,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
      },
      ...CREATED,
    },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: addresses.map((address, number) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${(index + number) % 500}`,
      zone: `zone-${number % 3}`,
      targetRef: { kind: "Pod", namespace, name: `s${index}-7d4b9c5f6b-${number}`, uid: `4f2d5c1e-${index}` },
    })),
  };
}

function addressesOf(index: number): string[] {
  return Array.from({ length: ENDPOINTS }, (_, number) => addressOf(index * ENDPOINTS + number));
}
