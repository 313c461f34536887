import { z } from 'zod';
import { show } from '../output';
import { publicAnswer } from '../public-answer';

const manifestSchema = z.object({
  version: z.string(),
  // They become words of a command that people paste into a shell.
  file: z.literal('/agent/countersign-agent.cjs'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** Prints the line that fetches and checks the program for an agent's machine. */
export async function printFetchLine(options: {
  readonly url: string;
  readonly json?: boolean;
}): Promise<void> {
  if (!URL.canParse(options.url) || !/^https?:/.test(options.url))
    throw new Error(`--url ${options.url}: must be an http or https URL`);
  const { version, file, sha256 } = await manifestOf(options.url);
  // The parser escapes spaces and double quotes; a quote for the shell remains.
  const address = new URL(`${options.url.replace(/\/+$/, '')}${file}`).href.replaceAll("'", '%27');
  const command = `curl -fsSO '${address}' && echo '${sha256}  countersign-agent.cjs' | sha256sum -c`;
  show({ version, sha256, command }, [command], options);
}

async function manifestOf(url: string) {
  try {
    return await publicAnswer(url, '/agent/manifest.json', manifestSchema);
  } catch (cause) {
    throw new Error(`${url} does not offer the program for agents; is it Countersign, and is it built?`, {
      cause,
    });
  }
}
