import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * PostgreSQL does not call a strict function with null. With null, neither the comparison that keeps the last day nor the
 * one that looks for younger rows was true, and the role of the service could remove rows of any age.
 */
export class IgnorePruningWithoutTime1795464000018 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter function audit_prune(timestamptz) strict');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter function audit_prune(timestamptz) called on null input');
  }
}
