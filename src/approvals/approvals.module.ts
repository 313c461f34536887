import { Module } from '@nestjs/common';
import { ApprovalLog } from './approval-log';
import { ApprovalPages } from './approval-pages';
import { ApprovalStore } from './approval-store';
import { ApprovalStream } from './approval-stream';
import { ApprovalsController } from './approvals.controller';
import { AcknowledgeApprovalHandler } from './commands/acknowledge-approval';
import { CancelApprovalHandler } from './commands/cancel-approval';
import { ClaimApprovalHandler } from './commands/claim-approval';
import { ExtendApprovalHandler } from './commands/extend-approval';
import { DecideApprovalHandler } from './commands/decide-approval';
import { DecideTurnHandler } from './commands/decide-turn';
import { TakeBackDecisionHandler } from './commands/take-back-decision';
import { DepartFromApprovalHandler } from './commands/depart-from-approval';
import { EnqueueApprovalHandler } from './commands/enqueue-approval';
import { EraseInputHandler } from './commands/erase-input';
import { ExplainRejectionHandler } from './commands/explain-rejection';
import { MakeGrantHandler } from './commands/make-grant';
import { MakeLateGrantHandler } from './commands/make-late-grant';
import { JoinApprovalHandler } from './commands/join-approval';
import { SignEndingsHandler } from './commands/sign-endings';
import { SignReceiptsHandler } from './commands/sign-receipts';
import { TakeAnswerHandler } from './commands/take-answer';
import { SuggestRulesHandler } from '../policy/queries/suggest-rules';
import { TestPolicyHandler } from '../policy/queries/test-policy';
import { RequestHistory } from '../policy/request-history';
import { ReceiptsModule } from '../receipts/receipts.module';
import { ChainRunner } from './chains/chain-runner';
import { ChainStore } from './chains/chain-store';
import { FindMentionedInHandler } from './chains/find-mentioned-in';
import { CountTodayHandler } from './digest/count-today';
import { DecisionSignatures } from './decision-signatures';
import { ShownDisplays } from './display';
import { DigestJob } from './digest/digest-job';
import { DigestStore } from './digest/digest-store';
import { FatigueJob } from './fatigue/fatigue-job';
import { FatigueStore } from './fatigue/fatigue-store';
import { FinishedApprovals } from './finished-approvals';
import { GrantsController } from './grants.controller';
import { PostgresApprovalStore } from './postgres-approval-store';
import { PostgresRequestHistory } from './postgres-request-history';
import { AwaitSettlementHandler } from './queries/await-settlement';
import { FindGrantOffersHandler, MayGrantHandler, MayGrantLateHandler } from './queries/find-grant-offers';
import { FindEarlierRequestsHandler } from './queries/find-earlier-requests';
import { FindPendingHandler } from './queries/find-pending';
import { FindReadersHandler } from './queries/find-readers';
import { FindOpenCallsHandler } from './queries/find-open-calls';
import { GetApprovalHandler, GetApprovalStateHandler } from './queries/get-approval';
import { ListApprovalsHandler } from './queries/list-approvals';
import { MayDecideTogetherHandler } from './queries/may-decide-together';
import { LookForDueHandler } from './queries/look-for-due';
import { SearchApprovalsHandler } from './queries/search-approvals';
import { SummarizePendingHandler } from './queries/summarize-pending';
import { InsightController } from './records/insight.controller';
import { InsightStore } from './records/insight-store';
import { ReadInsightHandler } from './records/queries/read-insight';
import { RecordJob } from './records/record-job';
import { RecordStore } from './records/record-store';
import { SettlementFeed } from './settlement-feed';
import { TimeoutSweeper } from './timeout-sweeper';

@Module({
  imports: [ReceiptsModule],
  controllers: [ApprovalsController, GrantsController, InsightController],
  providers: [
    { provide: RequestHistory, useClass: PostgresRequestHistory },
    TestPolicyHandler,
    SuggestRulesHandler,
    { provide: ApprovalStore, useClass: PostgresApprovalStore },
    EnqueueApprovalHandler,
    DecideApprovalHandler,
    DecideTurnHandler,
    TakeBackDecisionHandler,
    ClaimApprovalHandler,
    ExtendApprovalHandler,
    MakeGrantHandler,
    MakeLateGrantHandler,
    FindGrantOffersHandler,
    MayGrantHandler,
    MayGrantLateHandler,
    MayDecideTogetherHandler,
    CancelApprovalHandler,
    EraseInputHandler,
    ExplainRejectionHandler,
    AcknowledgeApprovalHandler,
    JoinApprovalHandler,
    TakeAnswerHandler,
    DepartFromApprovalHandler,
    FindEarlierRequestsHandler,
    FindOpenCallsHandler,
    FindPendingHandler,
    FindReadersHandler,
    GetApprovalHandler,
    GetApprovalStateHandler,
    ListApprovalsHandler,
    SearchApprovalsHandler,
    LookForDueHandler,
    SummarizePendingHandler,
    AwaitSettlementHandler,
    SignReceiptsHandler,
    SignEndingsHandler,
    FinishedApprovals,
    ShownDisplays,
    DecisionSignatures,
    SettlementFeed,
    TimeoutSweeper,
    ChainStore,
    ChainRunner,
    FindMentionedInHandler,
    DigestStore,
    DigestJob,
    CountTodayHandler,
    FatigueStore,
    FatigueJob,
    RecordStore,
    RecordJob,
    InsightStore,
    ReadInsightHandler,
    ApprovalStream,
    ApprovalPages,
    ApprovalLog,
  ],
  exports: [SettlementFeed, TimeoutSweeper],
})
export class ApprovalsModule {}
