type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function sampleOf(line: string): Sample {
  const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a sample: ${line}`);
  return {
    name,
    labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key = '', text = '']) => [key, text])),
    value: Number(value),
  };
}

/** One answer of `/metrics`. */
export class Scrape {
  readonly samples: readonly Sample[];

  constructor(readonly text: string) {
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(sampleOf);
  }

  static async of(url: string, headers: Record<string, string> = {}): Promise<Scrape> {
    const response = await fetch(`${url}/metrics`, { headers });
    if (!response.ok) throw new Error(`GET /metrics: HTTP ${response.status}`);
    return new Scrape(await response.text());
  }

  /** The series with all of these labels, or undefined when there is none. */
  find(name: string, labels: Labels = {}): number | undefined {
    return this.all(name, labels)[0]?.value;
  }

  /** @throws Error when there is not exactly one such series. */
  value(name: string, labels: Labels = {}): number {
    const [found, ...others] = this.all(name, labels);
    if (!found || others.length > 0)
      throw new Error(`${name} ${JSON.stringify(labels)}: ${found ? others.length + 1 : 0} series`);
    return found.value;
  }

  /** Over all series with these labels. */
  sum(name: string, labels: Labels = {}): number {
    return this.all(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  all(name: string, labels: Labels = {}): readonly Sample[] {
    return this.samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  }
}
