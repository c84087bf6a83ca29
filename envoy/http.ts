/**
 * HTTP connection managers, routers and HTTP/2 clusters, the parts that all of them share.
 */
import { type Config, extension, typed } from "./config.ts";

export function hcm(fields: Config): Config {
  return extension(
    "envoy.filters.network.http_connection_manager",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    withoutRequestIds(fields),
  );
}

/** Request ids cost a random number each and nothing reads them: a query's record is the query log. */
function withoutRequestIds(fields: Config): Config {
  fields.generate_request_id = false;
  return fields;
}

export function router(fields: Config = {}): Config {
  return extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", fields);
}

/** A virtual host of one route, for everything. */
export function routeAll(route: Config): Config {
  return { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] };
}

/** Options of a cluster that speaks HTTP/2. */
export function http2(fields: Config = {}): Config {
  const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return { [name]: typed(name, { explicit_http_config: { http2_protocol_options: fields } }) };
}

/** One limit for every resource of a cluster, at which an alert is due. */
export function breakers(limit: number): Config {
  return {
    thresholds: [
      {
        max_connections: limit,
        max_pending_requests: limit,
        max_requests: limit,
        track_remaining: true,
      },
    ],
  };
}
