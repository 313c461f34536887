#!/usr/bin/env node
'use strict';
// What `npx countersign` runs in a checkout. npm links a program only when it is there and executable, which dist/ is not
// before the first build, and no longer after the next.
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const checkout = join(__dirname, '..', '..');
const program = join(checkout, 'dist', 'src', 'cli', 'countersign.js');
if (!existsSync(program)) {
  const build = [require.resolve('typescript/bin/tsc'), '-b', checkout];
  // The compiler's messages do not belong to the output of the command.
  const { status } = spawnSync(process.execPath, build, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(2);
}
require(program);
