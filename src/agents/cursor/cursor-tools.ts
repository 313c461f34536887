import type { ToolShapes } from '../../policy/tool-shapes';

/** The input of `beforeShellExecution`, as `countersign hook cursor` sends it by the REST API. */
export const CURSOR_TOOL_SHAPES: ToolShapes = new Map([
  ['Shell', { members: { command: 'command', sandbox: 'text' }, writes: false }],
]);
