import { Module } from '@nestjs/common';
import { JwksController } from './jwks.controller';
import { PublishedKeysHandler } from './queries/published-keys';
import { ReceiptStore } from './receipt-store';
import { Receipts } from './receipts';
import { SigningKeyStore } from './signing-key-store';
import { SigningKeys } from './signing-keys';

@Module({
  controllers: [JwksController],
  providers: [SigningKeyStore, SigningKeys, ReceiptStore, Receipts, PublishedKeysHandler],
  exports: [Receipts, SigningKeys, SigningKeyStore],
})
export class ReceiptsModule {}
