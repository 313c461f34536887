import { Module, type DynamicModule } from '@nestjs/common';
import { ConsoleAdmins } from '../access/console-admins';
import { PeopleStore } from '../people/people-store';
import { ActivePolicy } from './active-policy';
import { ApplyPolicyHandler } from './commands/apply-policy';
import { ApproveProposalHandler, ProposePolicyHandler } from './commands/propose-policy';
import { ResumePolicyHandler } from './commands/resume-policy';
import { StopPolicyHandler } from './commands/stop-policy';
import { EndSessionGrantsHandler } from './grants/end-session-grants';
import { GrantStore } from './grants/grant-store';
import { ListGrantsHandler } from './grants/list-grants';
import { RevokeGrantHandler } from './grants/revoke-grant';
import { OpenGrants } from './grants/open-grants';
import { EndOverrideHandler } from './on-call/end-override';
import { FindMentionedHandler } from './on-call/find-mentioned';
import { ListOnCallHandler } from './on-call/list-on-call';
import { OnCallController } from './on-call/on-call.controller';
import { OnCallStore } from './on-call/on-call-store';
import { OverrideRotaHandler } from './on-call/override-rota';
import { PolicyAdmins } from './policy-admins';
import { PolicyFile } from './policy-file';
import { PolicyProposals } from './policy-proposals';
import { PolicyStore } from './policy-store';
import { DEFAULT_LIMITS, PolicyThreads, THREAD_LIMITS } from './policy-threads';
import { PeopleController } from './people.controller';
import { PolicyController } from './policy.controller';
import { GetPolicyHandler, GetPolicyVersionHandler } from './queries/get-policy';
import { ListActivationsHandler } from './queries/list-activations';
import { ListPeopleHandler } from './queries/list-people';
import { ListProposalsHandler } from './queries/list-proposals';
import { AGENT_TOOLS, type ToolShapes } from './tool-shapes';

@Module({})
export class PolicyModule {
  static with(shapes: ToolShapes): DynamicModule {
    return {
      module: PolicyModule,
      global: true,
      controllers: [PolicyController, OnCallController, PeopleController],
      providers: [
        { provide: AGENT_TOOLS, useValue: shapes },
        PolicyStore,
        PolicyProposals,
        PolicyFile,
        { provide: THREAD_LIMITS, useValue: DEFAULT_LIMITS },
        PolicyThreads,
        GrantStore,
        OpenGrants,
        ListGrantsHandler,
        RevokeGrantHandler,
        EndSessionGrantsHandler,
        OnCallStore,
        ListOnCallHandler,
        FindMentionedHandler,
        OverrideRotaHandler,
        EndOverrideHandler,
        PeopleStore,
        ListPeopleHandler,
        ActivePolicy,
        { provide: ConsoleAdmins, useClass: PolicyAdmins },
        ApplyPolicyHandler,
        ProposePolicyHandler,
        ApproveProposalHandler,
        StopPolicyHandler,
        ResumePolicyHandler,
        GetPolicyHandler,
        GetPolicyVersionHandler,
        ListActivationsHandler,
        ListProposalsHandler,
      ],
      exports: [ActivePolicy, ConsoleAdmins, PolicyStore, PolicyThreads, GrantStore, OpenGrants, AGENT_TOOLS],
    };
  }
}
