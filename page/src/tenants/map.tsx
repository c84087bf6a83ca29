/**
 * Who looks up whose names, drawn; and the same as a table.
 */
import { useMemo } from "preact/hooks";
import type { TenantMap } from "../../../extproc/telemetry/questions.ts";
import { looksOf } from "../parts/series.ts";
import { tenantParameter } from "../parts/span.tsx";
import { linkTo } from "../shell/route.ts";
import { formatCount, nameTenant, plural } from "../text/words.ts";
import { type Band, layOut, type Place } from "./map-layout.ts";

/** Pixels: the tenants' names end at the first, what they ask for begins at the second. */
const WIDTH = 900;
const FROM = 190;
const TO = 560;

export interface MapProps {
  readonly map: TenantMap;
  /** As the API has it; empty for all. */
  readonly chosen: string;
  readonly query: Readonly<Record<string, string>>;
}

export function NamesMap({ map, chosen, query }: MapProps) {
  const { height, tenants, targets, bands } = useMemo(() => layOut(map), [map]);
  const looks = looksOf(tenants.map(({ key }) => key));
  const isFaint = (tenant: string) => chosen !== "" && tenantParameter(tenant) !== chosen;
  return (
    <figure class="map" aria-label="Who looks up whose names">
      <svg viewBox={`0 0 ${WIDTH} ${height}`}>
        <title>Map</title>
        <g>
          {bands.map((band) => (
            <Bands key={band.key} band={band} faint={isFaint(band.tenant)} colour={looks.get(band.tenant)?.colour} />
          ))}
        </g>
        {tenants.map((place) => (
          <a
            key={place.key}
            class={isFaint(place.key) ? "faint" : ""}
            href={linkTo(["tenants"], { ...query, tenant: tenantParameter(place.key) })}
          >
            <text x={FROM - 12} y={place.y} text-anchor="end" dominant-baseline="middle">
              {nameTenant(place.name)}
            </text>
            <text class="count" x={FROM - 12} y={place.y + 13} text-anchor="end" dominant-baseline="middle">
              {describe(place)}
            </text>
          </a>
        ))}
        {targets.map((place) => (
          <Target key={place.key} place={place} />
        ))}
      </svg>
      <details>
        <summary>The same as a table</summary>
        <MapTable map={map} />
      </details>
    </figure>
  );
}

function Bands({
  band,
  faint,
  colour,
}: {
  readonly band: Band;
  readonly faint: boolean;
  readonly colour?: string | undefined;
}) {
  const { from, to, width, deniedWidth } = band;
  const middle = (FROM + TO) / 2;
  const path = `M${FROM},${from} C${middle},${from} ${middle},${to} ${TO},${to}`;
  return (
    <>
      <path
        class={faint ? "band faint" : "band"}
        d={path}
        stroke-width={width}
        style={{ stroke: `var(${colour ?? "--soft"})` }}
      />
      {deniedWidth > 0 && (
        <path class={faint ? "band denied faint" : "band denied"} d={path} stroke-width={deniedWidth} />
      )}
    </>
  );
}

function Target({ place }: { readonly place: Place }) {
  const { kind, name, y, zones } = place;
  const below = zones.length > 2 ? `${zones[0]} and ${zones.length - 1} more` : zones.join(", ");
  return (
    <g class={kind}>
      <text x={TO + 12} y={y} dominant-baseline="middle">
        {kind === "owner" ? `${name}’s names` : name}
      </text>
      <text class="count" x={TO + 12} y={y + 13} dominant-baseline="middle">
        {kind === "owner" ? `${below}: ` : ""}
        {describe(place)}
      </text>
    </g>
  );
}

function describe({ queries, denied }: Place): string {
  return `${plural(queries, "query", "queries")}${denied > 0 ? `, ${formatCount(denied)} denied` : ""}`;
}

function MapTable({ map }: { readonly map: TenantMap }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Tenant</th>
          <th>Names below</th>
          <th>Whose</th>
          <th class="number">Queries</th>
          <th class="number">Denied</th>
        </tr>
      </thead>
      <tbody>
        {map.edges.map(({ tenant, zone, owner, queries, denied }) => (
          <tr key={`${tenant} ${zone}`}>
            <td>
              <bdi>{nameTenant(tenant)}</bdi>
            </td>
            <td class="mono">{zone}</td>
            <td>{owner}</td>
            <td class="number">{formatCount(queries)}</td>
            <td class={denied > 0 ? "number bad" : "number"}>{formatCount(denied)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
