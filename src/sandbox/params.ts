import { badRequest } from './bot-api-error';

export interface UploadedFile {
  readonly fileName: string;
  readonly mimeType: string;
  readonly bytes: Buffer;
}

/** The parameters of one call from the query, a form, JSON or multipart. Empty means absent. */
export class Params {
  constructor(
    readonly fields: Readonly<Record<string, unknown>>,
    readonly files: ReadonlyMap<string, UploadedFile> = new Map(),
  ) {}

  string(name: string): string | undefined {
    const value = this.fields[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'object') return JSON.stringify(value);
    return scalarText(value);
  }

  integer(name: string): number | undefined {
    const text = this.string(name)?.trim();
    return text !== undefined && /^-?[0-9]{1,16}$/.test(text) ? Number(text) : undefined;
  }

  boolean(name: string): boolean {
    return ['true', 'yes', '1'].includes(this.string(name)?.toLowerCase() ?? '');
  }

  /**
   * A structured parameter, which may be JSON text or, in a JSON body, the value itself.
   *
   * @throws {BotApiError} 400 if the text is not JSON
   */
  json(name: string, what: string): unknown {
    const value = this.fields[name];
    if (typeof value !== 'string') return value ?? undefined;
    if (value === '') return undefined;
    try {
      return JSON.parse(value) as unknown;
    } catch {
      throw badRequest(`can't parse ${what} JSON object`);
    }
  }

  /** The parameters for the list of recorded calls: files by name and size, all others unchanged. */
  summary(): Record<string, unknown> {
    const files = [...this.files].map(([name, f]) => [name, { fileName: f.fileName, size: f.bytes.length }]);
    return { ...this.fields, ...(Object.fromEntries(files) as Record<string, unknown>) };
  }
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
