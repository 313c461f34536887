import { Module } from '@nestjs/common';
import { AgentFileController } from './agent-file.controller';

@Module({ controllers: [AgentFileController] })
export class AgentFileModule {}
