import { commandMatcherSchema } from '../../../../src/policy/shell/command-matcher';
import { mentionIn } from '../../../support/policy-scene';

function found(text: string, matcher: unknown): readonly string[] | null {
  return mentionIn(text, commandMatcherSchema.parse(matcher));
}

describe('a mention', () => {
  const PRODUCTION = { mentions: [['terraform', 'apply'], ['kubectl']] };

  it.each([
    'terraform apply',
    'cd x && terraform -chdir=prod apply -auto-approve',
    'git status; kubectl get pods',
    'git status | kubectl apply',
    'sudo -u x kubectl get',
    'env A=1 timeout 5 kubectl get',
    '/usr/local/bin/kubectl get',
    './kubectl',
    'KUBECTL get',
    'bash -c "kubectl get"',
    `sh -c 'terraform init && terraform apply'`,
    `python -c "import os; os.system('kubectl get')"`,
    'ssh host "kubectl get"',
    'echo $(kubectl get)',
    'echo `kubectl get`',
    'diff <(kubectl get) x',
    'A=1 kubectl get',
    'if true; then kubectl get; fi',
    'f() { kubectl get; }; f',
    'kube\\ctl get',
    'ku"bec"tl get',
    "k'u'bectl get",
    "$'\\x6bubectl' get",
    'k\\ubectl get',
    'kub\\ectl get $x',
    'true \\xaa && k\\ubectl get',
    "$'\\153ubectl' get",
    "$'\\u006bubectl' get",
    'kube\\\nctl get',
    'kube\u200bctl get',
    'kubectl${IFS}get',
    '{kubectl,get}',
    'terraform \\\n apply',
    'x > kubectl',
    'git status &\nkubectl',
    `cat <<A | sh\nkubectl get\nA`,
    'kubectl "',
    'kubectl\0',
  ])('is found in %j', (text) => {
    expect(found(text, PRODUCTION)).not.toBeNull();
  });

  it.each(['x ', 'git status; ', "'x' ", '(', '$('])('is found after 256 KiB of %j', (filler) => {
    expect(
      found(`${filler.repeat(Math.ceil((256 * 1024) / filler.length))}kubectl`, PRODUCTION),
    ).not.toBeNull();
  });

  it.each([
    'git status',
    'terraform plan',
    'terraform plan; git apply',
    'git apply && terraform plan',
    'apply terraform',
    'kubectlx get',
    'mykubectl',
    'echo "$(git status)"',
    '',
  ])('is not found in %j', (text) => {
    expect(found(text, PRODUCTION)).toBeNull();
  });

  it('returns the tokens that matched', () => {
    expect(found('sudo terraform apply', PRODUCTION)).toEqual(['terraform', 'apply']);
  });
});

describe('a mention of flags', () => {
  const NEVER = {
    mentions: [
      ['git', 'push', '--force'],
      ['git', 'reset', '--hard'],
      ['git', 'push', '-f'],
      ['rm', '-rf'],
    ],
  };

  it.each([
    'git push --force',
    'git push --forc origin',
    'git push --fo',
    'git push --force=x',
    'git reset --har HEAD~1',
    'git push -f',
    'git push -uf origin main',
    'git push $REMOTE -uf',
    'rm -rf build',
    'rm -fr build',
    'rm -rfv build',
    'bash -c "rm -vfr build"',
    "rm -'r'f $x",
  ])('is found in %j', (text) => {
    expect(found(text, NEVER)).not.toBeNull();
  });

  it.each([
    'git push --follow-tags',
    'git push --force-with-lease',
    'git push -u origin main',
    'git reset --soft HEAD~1',
    'git push --',
    'rm -r build',
    'rm -f build',
    'rm -i build',
    'find . -perform',
  ])('is not found in %j', (text) => {
    expect(found(text, NEVER)).toBeNull();
  });

  it('names the words of the command', () => {
    expect(found('git push --forc', NEVER)).toEqual(['git', 'push', '--forc']);
  });
});

describe('argv and flags in a rule that says deny or ask', () => {
  const FORCE = { argv: ['git', { any: ['push', 'send'] }], flags: ['--force', '-f', '--exec=', '-n:int'] };

  it.each([
    'git push --force',
    'git push origin main -f',
    'git -C /tmp push -f',
    'git push --forc',
    'git push -uf',
    'git push --force=x',
    'git push --exec=x',
    'git push -n 5',
    'sudo git send --force',
    'bash -c "git push --force"',
    'git push $x --force',
    'git status && git push --force',
  ])('are found in %j', (text) => {
    expect(found(text, FORCE)).not.toBeNull();
  });

  it.each([
    'git push',
    'git push -u origin',
    'git log -f',
    'git push; git log -f',
    'git push --follow',
    'push git -f',
  ])('are not found in %j', (text) => {
    expect(found(text, FORCE)).toBeNull();
  });

  it('return the tokens that matched', () => {
    expect(found('git push origin -f', FORCE)).toEqual(['git', 'push', '-f']);
  });
});
