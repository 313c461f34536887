import { Module } from '@nestjs/common';
import { RetentionJob } from './retention-job';
import { RetentionStore } from './retention-store';

@Module({ providers: [RetentionStore, RetentionJob], exports: [RetentionJob] })
export class RetentionModule {}
