import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import { Refusal } from './api';
import { beginEnrolment, enrol, type EnrolmentStart } from './passkey';
import { TEXTS } from './texts';

const T = TEXTS.enrolment;

/** Makes a passkey from an invitation, by a click: previews and scanners of the link use nothing up. */
export function Enrolment({ invite, onEnd }: { invite: string; onEnd: () => void }) {
  // The invitation is used up by the first click; a person who cancels in the browser may try again.
  const started = useRef<EnrolmentStart | null>(null);
  const make = useMutation({
    mutationFn: async () => {
      started.current ??= await beginEnrolment(invite);
      await enrol(started.current);
    },
    onSuccess: onEnd,
  });
  const isOver = make.error instanceof Refusal;
  return (
    <main className="alone">
      <div className="panel sign-in">
        <img src="/console/assets/icon.svg" alt="" width="48" height="48" />
        <h1>{T.title}</h1>
        <p>{T.intro}</p>
        {make.error && (
          <p className="fault" role="alert">
            {make.error.message}
          </p>
        )}
        <button
          type="button"
          className="primary"
          disabled={make.isPending || isOver}
          onClick={() => make.mutate()}
        >
          {make.isPending ? T.busy : make.error ? T.again : T.submit}
        </button>
        <button type="button" onClick={onEnd}>
          {T.ignore}
        </button>
      </div>
    </main>
  );
}
