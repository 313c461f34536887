import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { AgentReports } from './agent-reports';
import { ClaudeCodeHookController } from './claude-code-hook.controller';
import { HeldCalls } from './held-calls';
import { HookNeverFails } from './hook-never-fails';
import { KeyTurns } from './key-turns';
import { McpCallsNeverFail } from './mcp-calls-never-fail';
import { McpController } from './mcp.controller';
import { McpEndpoint } from './mcp-endpoint';
import { TerminalQuestions } from './terminal-questions';
import { UnknownTools } from './unknown-tools';

@Module({
  controllers: [ClaudeCodeHookController, McpController],
  providers: [
    AgentReports,
    HeldCalls,
    HookNeverFails,
    KeyTurns,
    McpCallsNeverFail,
    McpEndpoint,
    TerminalQuestions,
    UnknownTools,
  ],
  exports: [HeldCalls],
})
export class ConnectorsModule implements NestModule {
  constructor(
    private readonly hook: HookNeverFails,
    private readonly mcp: McpCallsNeverFail,
  ) {}

  /** The first moment at which modules stand and routes do not. */
  configure(_consumer: MiddlewareConsumer): void {
    this.hook.attach();
    this.mcp.attach();
  }
}
