/** The path of an Envoy that is new enough; fetches one where there is none. */
export function findEnvoy(env?: Record<string, string | undefined>): string;
