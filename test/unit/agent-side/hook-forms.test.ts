import { HOOK_FORMS } from '../../../src/agent-side/hook/hook-forms';
import type { JsonObject } from '../../../src/kernel/json';

/** JSON, as the hook gets it: in a literal, `__proto__` would set a prototype. */
const INPUT = '{"command":"npm ci","__proto__":{"directory":"/etc"}}';

const GEMINI = `{"hook_event_name":"BeforeTool","session_id":"s","tool_name":"run_shell_command","tool_input":${INPUT}}`;
const cursor = (input: string) =>
  `{"hook_event_name":"beforeMCPExecution","conversation_id":"s","tool_name":"deploy","tool_input":${input}}`;

it.each([
  ['gemini', GEMINI],
  ['cursor', cursor(INPUT)],
  ['cursor', cursor(JSON.stringify(INPUT))],
  ['shell', INPUT],
] as const)('a hook of %s asks for every member of the input, whatever its name: %s', (name, text) => {
  const call = HOOK_FORMS[name].read(JSON.parse(text) as JsonObject, {});
  expect(JSON.stringify(call.toolInput)).toContain('"__proto__":{"directory":"/etc"}');
});
