/**
 * Lines over time. What they are is said in words, too: of the last moment, or of the one under the pointer.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { dark } from "../shell/theme.ts";
import { formatDate, formatTime } from "../text/words.ts";
import type { Look } from "./series.ts";
import { Swatch } from "./swatch.tsx";

export interface Line {
  readonly name: string;
  readonly look: Look;
  /** One for each time; null where nothing is known. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** The top of the scale, where it is not that of the values. */
  readonly most?: number;
}

const HEIGHT = 150;
/** Charts of one view move their pointers together. */
const SYNC = "time";
const DAY = 86_400;
const MINUTE = 60;

export function Chart({ title, times, lines, format, most }: ChartProps) {
  const id = useId();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const pointed = useSignal<number | undefined>(undefined);
  const shape = lines.map(({ name, look }) => `${name} ${look.colour}`).join("\n");
  const isDark = dark.value;

  useEffect(() => {
    const host = place.current;
    if (host === null) return;
    const chart = new uPlot(optionsOf(host, lines, format, most), dataOf(times, lines), host);
    chart.hooks.setCursor = [
      ({ cursor }) => {
        pointed.value = cursor.idx ?? undefined;
      },
    ];
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: host.clientWidth, height: HEIGHT }));
    observer.observe(host);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [shape, isDark]);

  useEffect(() => {
    plot.current?.setData(dataOf(times, lines));
  }, [times, lines]);

  const at = pointed.value ?? lastKnown(lines);
  const time = times[at];
  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption id={id}>
        <strong>{title}</strong>
        <span class="quiet">{time === undefined ? "" : formatTime(new Date(time * 1000))}</span>
        <ul class="row">
          {lines.map(({ name, look, values }) => (
            <li key={name}>
              <Swatch look={look} /> <bdi>{name}</bdi> <span class="mono">{formatValue(values[at], format)}</span>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
    </figure>
  );
}

function formatValue(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

function lastKnown(lines: readonly Line[]): number {
  return Math.max(0, ...lines.map(({ values }) => values.findLastIndex((value) => value !== null)));
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
}

function optionsOf(
  host: HTMLElement,
  lines: readonly Line[],
  format: (value: number) => string,
  most: number | undefined,
): uPlot.Options {
  const soft = colourOf(host, "--soft");
  const grid = { stroke: colourOf(host, "--line"), width: 1 };
  const font = `11.5px ${getComputedStyle(host).fontFamily}`;
  const axis = { stroke: soft, font, grid, ticks: { show: false } };
  return {
    width: host.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: SYNC } },
    scales: { y: { range: (_, __, max) => [0, most ?? (max > 0 ? max * 1.08 : 1)] } },
    axes: [
      { ...axis, size: 26, values: (_, splits, __, ___, step) => splits.map((time) => formatMoment(time, step)) },
      { ...axis, size: 58, values: (_, splits) => splits.map((value) => (value === 0 ? "0" : format(value))) },
    ],
    series: [
      {},
      ...lines.map(({ look }) => ({
        stroke: colourOf(host, look.colour),
        width: 1.8,
        dash: [...look.dash],
        points: { size: 4, fill: colourOf(host, look.colour), filter: lonePoints },
      })),
    ],
  };
}

/** Where there is no room for points: those that no line leads to, which nobody would see. */
function lonePoints(plot: uPlot, series: number, isRoom: boolean): number[] | null {
  if (isRoom) return null;
  const values = plot.data[series] ?? [];
  const isThere = (at: number) => typeof values[at] === "number";
  return [...values.keys()].filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

function formatMoment(seconds: number, step: number): string {
  const date = new Date(seconds * 1000);
  if (step >= DAY) return formatDate(date.toISOString()).replace(/,.*$/, "");
  return step < MINUTE ? formatTime(date) : formatTime(date).slice(0, 5);
}

/** Of a custom property, which may be one in the light and another in the dark: canvases know no variables. */
function colourOf(host: HTMLElement, property: string): string {
  host.style.color = `var(${property})`;
  const { color } = getComputedStyle(host);
  host.style.color = "";
  return color;
}
