/** Code and configuration in which code hides, of every language. */
const CODE = [
  '**/*.{js,cjs,mjs,jsx,ts,cts,mts,tsx,vue,svelte,json}',
  '**/*.{py,pyi,ipynb,toml,cfg,ini}',
  '**/*.{rb,gemspec,rake,php,lua,pl,pm,r,jl,ex,exs,erl,hs,clj,scala,groovy,kt,kts,java,gradle,xml}',
  '**/*.{go,mod,rs,c,cc,cpp,h,hpp,cs,csproj,swift,zig,dart,proto}',
  '**/*.{sh,bash,zsh,fish,ps1,bat,mk,cmake,yml,yaml,tf,hcl,sql}',
  '**/{Makefile,GNUmakefile,Rakefile,Gemfile,Dockerfile,Justfile,Taskfile,Procfile,Vagrantfile,Jenkinsfile,BUILD,WORKSPACE}',
  '**/.*rc',
];

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Programs that run the project's own files: its code, its tests, or what its configuration says. */
const RUNNERS: ReadonlySet<string> = new Set(
  words(`
    npm npx pnpm pnpx yarn bun bunx node nodejs deno tsx ts-node jest vitest mocha ava tap playwright cypress eslint
    prettier stylelint biome tsc webpack vite rollup esbuild next nuxt nx turbo lerna gulp grunt
    python python2 python3 pytest tox nox pip pip3 pipx poetry uv uvx pdm hatch mypy pylint flake8 ruff black coverage django-admin
    make gmake just task ninja cmake ctest meson bazel buck scons
    cargo rustc go gofmt mvn mvnw gradle gradlew ant sbt lein mix rebar3 stack cabal dotnet msbuild swift xcodebuild zig dart flutter
    ruby bundle bundler rake rspec rails gem php composer phpunit phpstan artisan perl prove lua R Rscript julia
    bash sh zsh dash fish source pre-commit husky lefthook act
    docker docker-compose podman vagrant terraform tofu pulumi ansible ansible-playbook kubectl helm skaffold direnv
  `),
);

/** Subcommands of git that read and run no hook; the configuration of the repository names programs for all of them. */
const READING_GIT: ReadonlySet<string> = new Set(
  words('status diff log show blame shortlog describe rev-parse ls-files'),
);

/** The files that a command executes, as globs below its directory. Null: none are known. */
export function filesExecutedBy(program: string, subcommands: readonly string[]): readonly string[] | null {
  if (program.includes('/')) return [program.replace(/^\.\//, ''), ...CODE];
  if (RUNNERS.has(program)) return CODE;
  if (program !== 'git') return null;
  const reads = subcommands.length > 0 && subcommands.every((name) => READING_GIT.has(name));
  return reads
    ? ['**/.git/**']
    : ['**/.git/**', '**/.husky/**', '**/.pre-commit-config.yaml', '**/lefthook.yml'];
}

/** Files that the agent itself, the shell or the editor executes, or takes for instructions, without any command. */
export const FILES_EXECUTED_BY_ITSELF: readonly string[] = [
  '**/CLAUDE.md',
  '**/CLAUDE.local.md',
  '**/AGENTS.md',
  '**/.mcp.json',
  '**/.claude/**',
  '**/.codex/**',
  '**/.copilot/**',
  '**/.envrc',
  '**/.husky/**',
  '**/.git/**',
  '**/.vscode/**',
];
