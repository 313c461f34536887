import { useState } from 'react';

/** A button that asks once more before it acts. */
export function ConfirmButton({
  words,
  confirm,
  isBusy,
  act,
}: {
  words: string;
  confirm: string;
  isBusy: boolean;
  act: () => void;
}) {
  const [isAsked, setAsked] = useState(false);
  return (
    <button
      type="button"
      className={isAsked ? 'reject' : ''}
      disabled={isBusy}
      onBlur={() => setAsked(false)}
      onClick={() => {
        if (isAsked) act();
        setAsked(!isAsked);
      }}
    >
      {isAsked ? confirm : words}
    </button>
  );
}
