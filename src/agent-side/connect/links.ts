import { lstatSync, realpathSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { SettingsUnusable } from './settings-edits';

/**
 * Refuses a path below a project that leaves it by a link. Whoever wrote the repository would choose which file of the user
 * is edited.
 *
 * @throws SettingsUnusable, which names the link
 */
export function requireInside(project: string, path: string): void {
  const root = realpathSync(project);
  let part = project;
  for (const name of relative(project, path).split(sep)) {
    part = join(part, name);
    if (lstatSync(part, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    const target = targetOf(part);
    if (target?.startsWith(root + sep) === true) continue;
    throw new SettingsUnusable(
      `${part} is a link to ${target ?? 'nothing'}, outside of the project: --project does not follow it. Replace the link by a file or folder of the project, or leave --project out`,
    );
  }
}

/** Null where it points to nothing. */
function targetOf(link: string): string | null {
  try {
    return realpathSync(link);
  } catch {
    return null;
  }
}
