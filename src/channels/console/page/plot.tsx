import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';

export interface Line {
  readonly name: string;
  /** Name of a colour of the page, such as `--good`. */
  readonly color: string;
  readonly values: readonly (number | null)[];
}

const HEIGHT = 220;
const AXIS_WIDTH = 68;
const BARS = { size: [0.8, 40] as [number, number] };

/** The colour as the canvas needs it: computed for the theme. */
function colorOf(name: string, place: HTMLElement): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Sums the lines up, so that bars stand on each other. The highest is drawn first. */
function stacked(lines: readonly Line[]): Line[] {
  const below = lines.map((_, nth) => lines.slice(nth));
  return below.map((parts) => ({
    name: parts[0]?.name ?? '',
    color: parts[0]?.color ?? '',
    values: (parts[0]?.values ?? []).map((_, at) =>
      parts.reduce((sum, { values }) => sum + (values[at] ?? 0), 0),
    ),
  }));
}

function useTheme(): boolean {
  const query = matchMedia('(prefers-color-scheme: dark)');
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const listen = (event: MediaQueryListEvent) => setDark(event.matches);
    query.addEventListener('change', listen);
    return () => query.removeEventListener('change', listen);
  });
  return isDark;
}

/** A plot over time. The canvas has a label; the numbers themselves stand in a table beside it. */
export function Plot({
  label,
  times,
  lines,
  kind,
  unit,
}: {
  label: string;
  /** Seconds since 1970. */
  times: readonly number[];
  lines: readonly Line[];
  kind: 'bars' | 'lines';
  unit: (value: number) => string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const isDark = useTheme();
  useEffect(() => {
    const parent = place.current;
    if (!parent) return;
    const drawn = kind === 'bars' ? stacked(lines) : lines;
    const [text, grid] = [colorOf('--muted', parent), colorOf('--line', parent)];
    const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
    const half = kind === 'bars' ? ((times[1] ?? 0) - (times[0] ?? 0)) / 2 : 0;
    const plot = new uPlot(
      {
        width: parent.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        // Half a step more on both sides, for the whole of the first and the last bar.
        scales: {
          x: { range: (_, first, last) => [first - half, last + half] },
          y: { range: (_, __, most) => [0, Math.max(most * 1.05, 1)] },
        },
        axes: [axis, { ...axis, size: AXIS_WIDTH, values: (_, values) => values.map(unit) }],
        series: [
          {},
          ...drawn.map(({ name, color }) => {
            const stroke = colorOf(color, parent);
            return kind === 'bars'
              ? {
                  label: name,
                  stroke,
                  fill: stroke,
                  paths: uPlot.paths.bars?.(BARS),
                  points: { show: false },
                }
              : { label: name, stroke, width: 2, spanGaps: true };
          }),
        ],
      } as uPlot.Options,
      [[...times], ...drawn.map(({ values }) => [...values])],
      parent,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: parent.clientWidth, height: HEIGHT }));
    resize.observe(parent);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [times, lines, kind, unit, isDark]);
  return (
    <>
      <ul className="legend">
        {lines.map(({ name, color }) => (
          <li key={name}>
            <span className="swatch" style={{ background: `var(${color})` }} aria-hidden="true" /> {name}
          </li>
        ))}
      </ul>
      <div className="plot" ref={place} role="img" aria-label={label} />
    </>
  );
}
