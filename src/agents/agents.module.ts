import { Module } from '@nestjs/common';
import { KeyTurns } from '../access/key-turns';
import { AgentReports } from './agent-reports';
import { CallsNeverFail } from './calls-never-fail';
import { ClaudeCodeHookController } from './claude-code/claude-code-hook.controller';
import { HeldCalls } from './held-calls';
import { McpController } from './mcp/mcp.controller';
import { McpEndpoint } from './mcp/mcp-endpoint';
import { TerminalQuestions } from './terminal-questions';
import { UnknownTools } from './unknown-tools';

@Module({
  controllers: [ClaudeCodeHookController, McpController],
  providers: [
    AgentReports,
    CallsNeverFail,
    HeldCalls,
    { provide: KeyTurns, useFactory: () => new KeyTurns('reports, questions and cancellations') },
    McpEndpoint,
    TerminalQuestions,
    UnknownTools,
  ],
  exports: [HeldCalls],
})
export class ConnectorsModule {}
