import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A card knows the messages that offer grants from it, so that they lose their buttons with it. */
export class RememberOffers1795464000035 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table cards add column offer_message_ids bigint[]');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table cards drop column offer_message_ids');
  }
}
