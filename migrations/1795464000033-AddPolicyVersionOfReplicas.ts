import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Each heartbeat reports the policy version that its replica enforces, so that one that lags shows. */
export class AddPolicyVersionOfReplicas1795464000033 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table replicas add column policy_version text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table replicas drop column policy_version');
  }
}
