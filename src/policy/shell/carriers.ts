/** A command's name without its folder, version and ending: `/usr/bin/python3.11` is `python`. */
export function nameOf(command: string): string {
  const file = command.slice(command.lastIndexOf('/') + 1).toLowerCase();
  return file.replace(/\.exe$/, '').replace(/-?\d+(?:\.\d+)*$/, '') || file;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** Built-ins and keywords of bash and zsh that change how the rest of the line is read or run. No rule can allow them. */
export const STATEFUL_WORDS: ReadonlySet<string> = new Set(
  words(`
    . : [[ ]] ! { } - alias autoload bind bg break builtin case cd chdir command compgen compctl complete continue coproc
    declare dirs disable disown do done elif else emulate enable end esac eval exec export fc fg fi float for foreach function
    functions getln getopts hash history if in integer let limit local logout mapfile nocorrect noglob popd pushd r read
    readarray readonly rehash repeat return select set setopt shift shopt source suspend then time times trap typeset ulimit
    umask unalias unfunction unhash unlimit unset unsetopt until vared while zle zmodload zstyle`),
);

/** The reason of programs that test or build the files they are given. Their very words run what the card ran. */
export const RUNS_TESTS = 'runs the tests in its operands, or the configuration beside them';

/** Commands that run whatever their operands, options or configuration say, by the reason. */
const CARRIERS_BY_REASON: Record<string, string> = {
  'runs the command that its operands name': `
    arch at batch bundle busybox bwrap chroot chrt chpst caffeinate cgexec concurrently cross-env daemonize dbus-run-session
    direnv doas dotenv entr env fakeroot firejail flock gdbserver gtimeout ionice jexec ltrace mise mosh nice nodemon nohup nsenter
    numactl parallel pkexec prlimit proot proxychains runcon runuser script setarch setpriv setsid sg softlimit ssh sshpass
    start-stop-daemon stdbuf strace su sudo systemd-run taskset tini tmux screen timeout toybox unbuffer unshare valgrind watch
    watchexec xargs sudo-rs chronic rlwrap eatmydata torsocks linux32 linux64 ld.so systemd-inhibit pyenv rbenv nodenv rye conda
    mamba aws-vault pm2 forever xvfb-run zsh-defer asdf perf hyperfine fswatch gosu`,
  'runs the program in its operands or in a file': `
    ash bash csh dash fish ksh mksh nu osascript pwsh powershell rbash sh tcsh zsh
    awk bc bun clojure crystal dart deno elixir erl escript expect gawk ghci go-run groovy guile iex irb java jshell julia jq-run
    kotlin lua luajit mawk nawk node nodejs ocaml perl php pypy python pythonw racket raku rscript r ruby sbcl scala sed gsed swift
    yash osh oil posh busybox.static ipython gnuplot runghc runhaskell zx babel-node vite-node wine mono wasmtime wasmer clisp octave
    coverage nix-shell latexmk pdflatex xelatex lualatex tex latex
    tclsh ts-node tsx wish m4 dc gdb lldb ed ex vi vim view nvim emacs emacsclient nano less more most man info pico
    sqlite psql mysql mariadb mongo mongosh redis-cli clickhouse duckdb ftp sftp telnet nc ncat netcat socat`,
  'runs the scripts of the project or of a package': `
    ant bazel buck bunx bower composer conan corepack doit earthly gem gmake gradle gradlew grunt gulp hatch invoke jake just lerna
    make mage mix mvn mvnw ninja nox npm npx nx pants pdm pip pipenv pipx pixi pnpm pnpx poetry pre-commit rake sbt scons task tox
    turbo uv uvx waf yarn yarnpkg ansible ansible-playbook terraform tofu pulumi vagrant packer husky lefthook`,
  [RUNS_TESTS]: `
    mocha pytest py.test jest vitest ava tap rspec phpunit playwright cypress prove bats busted shellspec karma jasmine behat behave
    cucumber eslint cmake meson xcodebuild bundler webpack vite rollup parcel esbuild`,
  'runs commands in another place': `
    ctr crictl docker-compose fly flyctl heroku helm k3s lxc lxc-attach minikube nerdctl podman-compose
    rsh rexec rsync scp vercel virsh wsl gcloud aws az open xdg-open start crontab systemctl launchctl service`,
  'evaluates subscripts in its operands when it is a built-in': '[ test wait',
};

/** Subcommands that run whatever their operands or configuration say. */
const CARRIER_SUBCOMMANDS: Record<string, string> = {
  git: `am apply bisect cherry-pick clone config credential daemon difftool fast-import filter-branch filter-repo fetch for-each-repo gc hook
    instaweb merge mergetool maintenance p4 pull push rebase receive-pack remote revert send-email shell submodule svn upload-archive upload-pack
    web--browse worktree cvsserver fetch-pack send-pack ls-remote archive`,
  cargo: 'bench build check clippy doc fix install miri nextest run rustc rustdoc test watch',
  go: 'build generate get install run test tool vet',
  gh: 'alias codespace extension repo',
  dotnet: 'build exec msbuild publish restore run test tool vstest watch',
  docker: `build builder buildx compose container context cp create exec image import load plugin pull run stack start
    swarm volume`,
  podman: `build container cp create exec image import kube load machine play pull pod run start system volume`,
  kubectl: `alpha apply attach config cp create debug delete edit exec kustomize patch plugin port-forward proxy replace run set`,
  oc: 'adm apply attach cp create debug delete edit exec new-app patch port-forward process proxy replace rsh rsync run set',
  hg: 'config debugshell extdiff serve',
  svn: 'checkout diff',
};

/** Options with which a command runs code or writes files, as written. Those of `before` stand before the subcommand. */
const OPTIONS: Record<string, { before?: string; anywhere?: string }> = {
  git: {
    before:
      '-c -C -p --paginate --config-env --exec-path --git-dir --work-tree --namespace --super-prefix --attr-source',
    anywhere: `--output --ext-diff --textconv -O --open-files-in-pager --upload-pack --receive-pack --exec -x --template
      --separate-git-dir --no-index --output-directory --edit-description --gpg-sign --filters`,
  },
  man: { anywhere: '-P --pager -H --html -C --config-file' },
  npm: { anywhere: '--prefix -C --script-shell --node-options --userconfig --globalconfig -c --call' },
  pnpm: { anywhere: '-C --dir --script-shell --node-options -c --shell-mode' },
  yarn: { anywhere: '--cwd --use-yarnrc --script-shell' },
  make: { anywhere: '-f --file --makefile -C --directory -I --include-dir --eval' },
  sed: { anywhere: '-i --in-place -f --file -e --expression -s' },
  find: { anywhere: '-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls -files0-from' },
  fd: { anywhere: '-x -X --exec --exec-batch' },
  fdfind: { anywhere: '-x -X --exec --exec-batch' },
  rg: { anywhere: '--pre --hostname-bin --search-zip -z' },
  grep: { anywhere: '--decompress' },
  ack: { anywhere: '--pager --ackrc --output' },
  ag: { anywhere: '--pager' },
  bat: { anywhere: '--pager --paging --config-file' },
  delta: { anywhere: '--pager' },
  tar: {
    anywhere: `--checkpoint-action --to-command --use-compress-program -I --info-script --new-volume-script -F --rsh-command
      --rmt-command --file -f --extract -x -C --directory --absolute-names -P --index-file`,
  },
  sort: { anywhere: '--compress-program --output -o --files0-from -T --temporary-directory' },
  split: { anywhere: '--filter' },
  zip: { anywhere: '-T --unzip-command --test' },
  unzip: { anywhere: '-d -o' },
  tree: { anywhere: '-o -R' },
  xxd: { anywhere: '-r' },
  yq: { anywhere: '-i --inplace -s --split-exp --from-file' },
  jq: { anywhere: '-L --from-file -f' },
  date: { anywhere: '-s --set -f --file' },
  file: { anywhere: '-C --compile -m --magic-file' },
  diff: { anywhere: '--output' },
  cmake: { anywhere: '-P -E --build --install -C --toolchain' },
  ctest: { anywhere: '-S --build-and-test -D' },
  curl: {
    anywhere: `-o -O -K -T -D -c -d -F --output --remote-name --config --upload-file --dump-header --cookie-jar --data --form
      --output-dir --trace --trace-ascii --stderr --libcurl --etag-save --hsts --alt-svc --engine --proxy -x --variable --json`,
  },
  wget: {
    anywhere: `-O -P -o -a -i -e --output-document --directory-prefix --output-file --append-output --execute --config --input-file
      --post-file --body-file --use-askpass --save-cookies`,
  },
  openssl: { anywhere: '-engine -provider -config -out -writerand' },
  gcc: { anywhere: '-o -wrapper -fplugin -B -specs' },
  cc: { anywhere: '-o -wrapper -fplugin -B -specs' },
  clang: { anywhere: '-o -fplugin -load -B -Xclang' },
  rustc: { anywhere: '-o --out-dir -C -Z --codegen' },
  tsc: {
    anywhere:
      '--outDir --outFile --declarationDir --tsBuildInfoFile --generateTrace --generateCpuProfile -p --project -b --build',
  },
  eslint: {
    anywhere: `--config -c --rulesdir --plugin --parser --resolve-plugins-relative-to --format -f --output-file -o --fix
      --cache-location --cache-file`,
  },
  prettier: { anywhere: '--config --plugin --write -w --cache-location' },
  jest: {
    anywhere: `--config -c --globalSetup --globalTeardown --setupFiles --setupFilesAfterEnv --runner --testRunner --reporters
      --transform --resolver --rootDir --outputFile --coverageDirectory --testEnvironment --preset --projects --filter
      --testResultsProcessor --testSequencer --watchPlugins --snapshotSerializers --cacheDirectory`,
  },
  vitest: {
    anywhere: '--config -c --root -r --globalSetup --reporter --outputFile --environment --dir --execArgv',
  },
  mocha: {
    anywhere: '--require -r --import --config --package --reporter --ui --node-option --loader --file',
  },
  pytest: {
    anywhere:
      '-p -c -o --rootdir --confcutdir --override-ini --basetemp --junitxml --junit-xml --pdb --pdbcls --trace --pastebin',
  },
  mypy: { anywhere: '--config-file --python-executable --install-types --cache-dir' },
  ruff: { anywhere: '--fix --config --output-file -o --cache-dir' },
  black: { anywhere: '--config' },
  pylint: { anywhere: '--init-hook --load-plugins --rcfile' },
  flake: { anywhere: '--config --append-config --output-file' },
  rubocop: { anywhere: '--require -r --config -c --out -o -a -A --autocorrect' },
  cargo: {
    before: '--config -Z -C',
    anywhere: '--config -Z --manifest-path --target-dir --out-dir --artifact-dir',
  },
  go: {
    before: '-C',
    anywhere:
      '-exec -toolexec -vettool -o -overlay -modfile -C -ldflags -gccgoflags -coverprofile -cpuprofile',
  },
  gh: { anywhere: '--web' },
  docker: { before: '--config -H --host -c --context', anywhere: '--output' },
  podman: { before: '--config --url --connection --root --runtime --hooks-dir --conmon --module' },
  kubectl: { anywhere: '--kubeconfig -s --server --as --token --cache-dir -f --filename -k --kustomize' },
  oc: { anywhere: '--kubeconfig -s --server --as --token --cache-dir -f --filename -k --kustomize' },
  hg: { anywhere: '--config --config-file --cwd -R --repository --debugger' },
  svn: { anywhere: '--diff-cmd --diff3-cmd --editor-cmd --config-option --config-dir' },
  dmesg: { anywhere: '-C -c --clear' },
  journalctl: { anywhere: '--vacuum-size --vacuum-time --rotate --cursor-file' },
  ip: { anywhere: '-b -batch -force' },
  shuf: { anywhere: '-o --output' },
  iconv: { anywhere: '-o --output' },
  pandoc: { anywhere: '-o --output -F --filter -L --lua-filter --pdf-engine --extract-media --defaults -d' },
  dot: { anywhere: '-o -O -c' },
  nmap: { anywhere: '--script -oN -oX -oG -oA -oS' },
  tcpdump: { anywhere: '-z -w -G' },
};

/**
 * Programs that read files and run nothing, whatever files they are given. Of these alone a person is offered any files: a
 * program that nobody listed may run them.
 */
export const READERS: ReadonlySet<string> = new Set(
  words(
    'cat head tail wc grep egrep fgrep rg ls stat diff cmp comm cut sort nl tac od hexdump md5sum sha1sum sha256sum sha512sum cksum du jq',
  ),
);

/** Commands that write where an operand says, and run nothing. */
export const WRITERS: ReadonlySet<string> = new Set(
  words(
    'cp mv rm rmdir ln install dd tee truncate touch mkdir mkfifo mknod chmod chown patch rename shred unlink tar unzip zip split csplit',
  ),
);

export interface CodeOptions {
  readonly before: readonly string[];
  readonly anywhere: readonly string[];
  /** True if `-exec` is one option and not a cluster of letters. */
  readonly hasWordOptions: boolean;
}

const codeOptions = new Map<string, CodeOptions>(
  Object.entries(OPTIONS).map(([command, { before = '', anywhere = '' }]) => [
    command,
    {
      before: words(before),
      anywhere: words(anywhere),
      hasWordOptions: /(?:^|\s)-[A-Za-z]{2,}/.test(anywhere),
    },
  ]),
);

/** Options with which a command runs code or writes files; undefined for a command without such options. */
export function findCodeOptions(command: string): CodeOptions | undefined {
  return codeOptions.get(nameOf(command));
}

const carriers = new Map(
  Object.entries(CARRIERS_BY_REASON).flatMap(([why, names]) =>
    words(names).map((name) => [name, why] as const),
  ),
);
const carrierSubcommands = new Map(
  Object.entries(CARRIER_SUBCOMMANDS).map(([command, names]) => [command, new Set(words(names))]),
);

/** The reason why a command with open operands or flags runs anything; null if it does not. */
export function findCarrier(command: string, subcommands: readonly string[]): string | null {
  const name = nameOf(command);
  const why = carriers.get(name) ?? carriers.get(command);
  if (why !== undefined) return why;
  const dangerous = carrierSubcommands.get(name);
  if (dangerous === undefined) return null;
  if (subcommands.length === 0)
    return 'has subcommands that run commands, and the rule leaves the subcommand open';
  const found = subcommands.find((subcommand) => dangerous.has(subcommand));
  return found === undefined ? null : `${found} runs what its operands or its configuration say`;
}
