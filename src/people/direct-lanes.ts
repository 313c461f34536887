/** Condition on a row of `people`: a list of groups and people, as `jsonb`, names the person. */
export const IS_ADDRESSED = (names: string): string =>
  `(${names} ? people.name or ${names} ?| people.groups)`;
