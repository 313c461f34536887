import { statSync } from 'node:fs';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/environment';
import { ConfigurationError } from '../config/faults';
import { canonicalize } from '../kernel/canonical-json';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import { checkPolicy } from './check/check-policy';
import { renderFindings } from './check/render-findings';
import { policyChange } from './compare/policy-change';
import { wideningOf } from './compare/widening';
import type { Policy } from './document/policy-schema';
import { readDocumentFile } from './document/document-file';
import { readStored, type ReadPolicy } from './document/read-policy';
import { POLICY_LEVEL } from './policy-level';
import { PolicyStore } from './policy-store';
import { AGENT_TOOLS, type ToolShapes } from './tool-shapes';

/** Attempts beside other replicas that start with the same file. */
const MAX_TRIES = 5;

/**
 * Applies the document of `POLICY_FILE` at the start. A version that was active before is not applied again, so that a
 * replica with an old file reverts nothing.
 */
@Injectable()
export class PolicyFile {
  constructor(
    private readonly store: PolicyStore,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(AGENT_TOOLS) private readonly shapes: ToolShapes,
  ) {}

  /** @throws ConfigurationError for a document that cannot be read or applied: the service must not start. */
  async apply(): Promise<void> {
    const { file } = this.config.policy;
    if (file === null) return;
    const text = readText(file);
    const { policy, version, source } = this.checked(text, file);
    const document = { version, document: canonicalize(source.value), source: text, level: POLICY_LEVEL };
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (await this.store.wasActive(version)) return;
      const { version: replaces } = await this.store.state();
      const current = await this.find(replaces);
      refuseWidening(current, policy, file);
      const applied = await this.store.apply({
        ...document,
        replaces,
        cause: 'file',
        by: { kind: 'system', cause: 'file' },
        change: policyChange(current, policy),
        comment: null,
        proposedBy: null,
        overrides: false,
      });
      if (applied.kind === 'unsupported')
        throw fault(file, `replica ${applied.replica} cannot enforce it yet`);
      if (applied.kind === 'stale') continue;
      this.log.event('info', 'policy.file-applied', { file, version }, 'the policy of POLICY_FILE is active');
      return;
    }
    throw fault(file, 'the policy changed each time it was applied');
  }

  private checked(text: string, file: string): ReadPolicy {
    const { ok, policy, findings } = checkPolicy(text, this.shapes);
    if (ok && policy) return policy;
    throw fault(file, `has errors\n${renderFindings(findings, text, file)}`);
  }

  private async find(version: string | null): Promise<Policy | null> {
    const found = version === null ? null : await this.store.find(version);
    return found && readStored(found.document);
  }
}

function refuseWidening(current: Policy | null, next: Policy, file: string): void {
  const [first] = current?.changes?.widening === 2 ? wideningOf(current, next) : [];
  if (first !== undefined)
    throw fault(file, `widens the active policy (${first}), which demands two people: propose it instead`);
}

function readText(file: string): string {
  try {
    // The opening of a pipe would wait for a writer.
    if (statSync(file).isFIFO()) throw new Error('it is a pipe');
    return readDocumentFile(file);
  } catch (error) {
    throw fault(file, `cannot be read: ${describeError(error)}`);
  }
}

const fault = (file: string, words: string) => new ConfigurationError([`POLICY_FILE: ${file} ${words}`]);
