const WIDTH = 640;
const HEIGHT = 360;
const MARGIN = { left: 64, right: 150, top: 40, bottom: 52 };
/** Told apart also by those who do not see all colours (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];
const TICKS = 5;

const text = (x, y, value, more = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${value}</text>`;

/** A round number of steps that covers the maximum. */
function niceStep(maximum) {
  const rough = maximum / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step * TICKS >= maximum);
}

/**
 * A line chart as SVG, with a logarithmic axis of sizes and a linear one of milliseconds that begins at zero.
 *
 * @param lines name → [[size, milliseconds], …]
 */
export function lineChart({ title, xLabel, lines }) {
  const points = Object.values(lines).flat();
  const sizes = [...new Set(points.map(([size]) => size))].toSorted((a, b) => a - b);
  const [low, high] = [Math.log10(sizes[0]), Math.log10(sizes.at(-1))];
  const step = niceStep(Math.max(...points.map(([, ms]) => ms)));
  const x = (size) =>
    MARGIN.left + ((Math.log10(size) - low) / (high - low)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (ms) => HEIGHT - MARGIN.bottom - (ms / (step * TICKS)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const right = WIDTH - MARGIN.right;

  const grid = Array.from({ length: TICKS + 1 }, (_, n) => n * step).flatMap((ms) => [
    `<line x1="${MARGIN.left}" y1="${y(ms).toFixed(1)}" x2="${right}" y2="${y(ms).toFixed(1)}" stroke="#ddd"/>`,
    text(MARGIN.left - 8, y(ms) + 4, Number(ms.toPrecision(3)), 'text-anchor="end"'),
  ]);
  const axis = sizes.map((size) =>
    text(
      x(size),
      HEIGHT - MARGIN.bottom + 20,
      size.toLocaleString('en-US').replaceAll(',', ' '),
      'text-anchor="middle"',
    ),
  );
  const drawn = Object.entries(lines).flatMap(([name, line], n) => {
    const colour = COLOURS[n % COLOURS.length];
    const path = line.map(([size, ms]) => `${x(size).toFixed(1)},${y(ms).toFixed(1)}`);
    return [
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...path.map((point) => {
        const [cx, cy] = point.split(',');
        return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
      }),
      `<rect x="${right + 16}" y="${MARGIN.top + n * 22}" width="12" height="12" fill="${colour}"/>`,
      text(right + 34, MARGIN.top + n * 22 + 11, name),
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(MARGIN.left, 22, title, 'font-size="14" font-weight="bold"'),
    ...grid,
    ...axis,
    text((MARGIN.left + right) / 2, HEIGHT - 12, xLabel, 'text-anchor="middle"'),
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">milliseconds, median</text>`,
    ...drawn,
    '</svg>',
  ].join('\n')}\n`;
}
