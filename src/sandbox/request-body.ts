import Busboy from '@fastify/busboy';
import { BotApiError, badRequest } from './bot-api-error';
import { isRecord, Params, type UploadedFile } from './params';

/** Source: core.telegram.org/bots/api#sending-files; larger uploads are refused by the hosted server. */
export const LARGEST_UPLOAD_BYTES = 50 * 1024 * 1024;

/**
 * The parameters of a Bot API request from query and body.
 *
 * @throws {BotApiError} 400 when the body is not what its content type says
 */
export async function readParams(
  query: Readonly<Record<string, unknown>>,
  contentType: string | undefined,
  body: Buffer | undefined,
): Promise<Params> {
  if (!body || body.length === 0) return new Params(query);
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json') return new Params({ ...query, ...jsonObject(body) });
  if (type === 'application/x-www-form-urlencoded') {
    return new Params({ ...query, ...Object.fromEntries(new URLSearchParams(body.toString('utf8'))) });
  }
  if (type === 'multipart/form-data') return multipart(query, contentType ?? type, body);
  return new Params(query);
}

function jsonObject(body: Buffer): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw badRequest("can't parse JSON object");
  }
  if (!isRecord(parsed)) throw badRequest('JSON object expected');
  return parsed;
}

function multipart(
  query: Readonly<Record<string, unknown>>,
  contentType: string,
  body: Buffer,
): Promise<Params> {
  return new Promise((resolve, reject) => {
    const fields: Record<string, unknown> = { ...query };
    const files = new Map<string, UploadedFile>();
    const malformed = (): void => reject(badRequest("can't parse multipart form data"));
    const parser = Busboy({
      headers: { 'content-type': contentType },
      limits: { fieldSize: LARGEST_UPLOAD_BYTES, fileSize: LARGEST_UPLOAD_BYTES },
    });
    parser.on('field', (name, value) => {
      fields[name] = value;
    });
    parser.on('file', (name, stream, fileName, _encoding, mimeType) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('limit', () => reject(new BotApiError(413, 'Request Entity Too Large')));
      stream.on('end', () => files.set(name, { fileName, mimeType, bytes: Buffer.concat(chunks) }));
    });
    parser.on('error', malformed);
    parser.on('finish', () => resolve(new Params(fields, files)));
    parser.end(body);
  });
}
