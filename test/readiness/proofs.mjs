/**
 * A proof is one command or several, joined by `&&`. One that runs some files of a tier of tests is judged by the run
 * of the whole tier, which happens once, however many items rest on it.
 */
const TIERS = [
  'npm test',
  'npm run test:e2e',
  'npm run test:chaos',
  'npm run test:load',
  'npm run test:deploy',
];

/** @returns for each command of a proof: what is run, whether it is a tier of tests, and which files of it matter. */
export function partsOf(proof) {
  return proof.split(' && ').map((command) => {
    const tier = TIERS.find((each) => command === each || command.startsWith(`${each} -- test/`));
    if (tier === undefined) return { command, tier: false, paths: [] };
    const paths = command
      .slice(tier.length)
      .split(' ')
      .filter((word) => word.startsWith('test/'));
    return { command: tier, tier: true, paths };
  });
}

/** Everything that has to be run for the proofs, once each, in their order. */
export function commandsOf(proofs) {
  const parts = proofs.flatMap(partsOf);
  return parts.filter(({ command }, index) => parts.findIndex((each) => each.command === command) === index);
}

function partResult({ command, paths }, ran) {
  const { passed, seconds, files } = ran.get(command);
  if (paths.length === 0) return { passed, note: `${seconds} s` };
  const missing = paths.filter((path) => !files.some((file) => file.path.startsWith(path)));
  if (missing.length > 0) return { passed: false, note: `no result of ${missing.join(', ')}` };
  const concerned = files.filter((file) => paths.some((path) => file.path.startsWith(path)));
  const bad = concerned.filter((file) => !file.passed);
  if (bad.length > 0) return { passed: false, note: `failed in ${bad.map(({ path }) => path).join(', ')}` };
  const tests = concerned.reduce((sum, file) => sum + file.tests, 0);
  return { passed: tests > 0, note: `${tests} tests of \`${command}\`` };
}

/** @param ran command → its result; @returns whether the proof holds, and a note for the checklist */
export function resultOf(parts, ran) {
  const results = parts.map((part) => partResult(part, ran));
  return { passed: results.every(({ passed }) => passed), note: results.map(({ note }) => note).join('; ') };
}
