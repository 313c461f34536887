import type { ReactNode } from 'react';
import type { Action } from './api';

type Part = Action['parts'][number];

/** An escape of the service for a character that cannot be seen. */
const ESCAPE = /(\\u\{[0-9a-f]+(?:×\d+)?\}|⇥)/;

/** A text in which the escapes stand out. */
export function Marked({ text }: { text: string }): ReactNode {
  return text.split(ESCAPE).map((piece, i) => (i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece));
}

const KIND = { ' ': 'same', '-': 'removed', '+': 'added', '@': 'words' } as const;
const NAME = { ' ': '', '-': 'removed: ', '+': 'added: ', '@': '' } as const;

export function Diff({ rows }: { rows: NonNullable<Part['rows']> }) {
  return (
    <div className="code diff">
      {rows.map(({ mark, text }, i) => (
        <div key={i} className={KIND[mark]}>
          <span className="sign" aria-hidden="true">
            {mark === '@' ? '' : mark}
          </span>
          <span className="unseen">{NAME[mark]}</span>
          <span>{text === '' ? '\u200b' : <Marked text={text} />}</span>
        </div>
      ))}
    </div>
  );
}

export function Code({ text }: { text: string }) {
  const lines = text.split('\n');
  if (lines.length === 1)
    return (
      <pre className="code">
        <code>
          <Marked text={text} />
        </code>
      </pre>
    );
  return (
    <ol className="code lines">
      {lines.map((line, i) => (
        <li key={i}>{line === '' ? '\u200b' : <Marked text={line} />}</li>
      ))}
    </ol>
  );
}

function PartView({ part }: { part: Part }) {
  if (part.layout === 'line')
    return (
      <div className="part line">
        <h3>{part.label}</h3>
        <code>
          <Marked text={part.text} />
        </code>
      </div>
    );
  return (
    <div className="part">
      <h3>
        {part.label} <span>{part.note}</span>
      </h3>
      {part.rows ? <Diff rows={part.rows} /> : part.text !== '' && <Code text={part.text} />}
    </div>
  );
}

/** The complete action. The texts are the service's, which has made every character visible. */
export function ActionParts({ parts }: { parts: readonly Part[] }) {
  return parts.map((part, i) => <PartView key={i} part={part} />);
}
