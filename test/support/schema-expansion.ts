import type { TestDatabase } from './database';

interface Part {
  /** `table`, `column`, `constraint`, `unique`, `function`. */
  readonly kind: string;
  readonly name: string;
  /** The table it belongs to, itself for a table. */
  readonly table: string;
  readonly definition: string;
  readonly required: boolean;
  readonly hasDefault: boolean;
}

/** The parts of a schema that running statements depend on, by kind and name. */
export type Schema = ReadonlyMap<string, Part>;

const PARTS = `
  select 'table' as kind, c.relname::text as name, c.relname::text as table, '' as definition, false as required,
    false as "hasDefault"
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
  union all
  select 'column', c.relname || '.' || a.attname, c.relname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.atthasdef or a.attidentity <> ''
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
  union all
  select 'constraint', conrelid::regclass || '.' || conname, conrelid::regclass::text, pg_get_constraintdef(oid), false, false
    from pg_constraint where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'x') and conrelid <> 0
  union all
  select 'unique', i.indrelid::regclass || '.' || c.relname, i.indrelid::regclass::text, pg_get_indexdef(c.oid), false, false
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where c.relnamespace = 'public'::regnamespace and i.indisunique
  union all
  select 'function', p.oid::regprocedure::text, '', pg_get_function_result(p.oid), false, false
    from pg_proc p where p.pronamespace = 'public'::regnamespace`;

export async function readSchema(database: TestDatabase): Promise<Schema> {
  const parts = await database.query<Part>(PARTS);
  return new Map(parts.map((part) => [`${part.kind} ${part.name}`, part]));
}

function lost(key: string, before: Part, after: Part | undefined): string | null {
  // Without a check or a foreign key more is allowed than before.
  if (!after) return before.kind === 'constraint' ? null : `${key} is gone`;
  if (after.definition !== before.definition) return `${key} is another`;
  if (after.required && !before.required) return `${key} is required`;
  return before.hasDefault && !after.hasDefault ? `${key} has no default any more` : null;
}

function demanded(key: string, part: Part, before: Schema): string | null {
  if (!before.has(`table ${part.table}`)) return null;
  if (part.kind === 'column') return part.required && !part.hasDefault ? `${key} is required` : null;
  return part.kind === 'constraint' || part.kind === 'unique' ? `${key} is new` : null;
}

/** Changes in `after` that break a version written for `before`; empty when all its statements still work. */
export function breaksBetween(before: Schema, after: Schema): string[] {
  const losses = [...before].map(([key, part]) => lost(key, part, after.get(key)));
  const demands = [...after]
    .filter(([key]) => !before.has(key))
    .map(([key, part]) => demanded(key, part, before));
  return [...losses, ...demands].filter((found) => found !== null).toSorted();
}
