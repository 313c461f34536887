/** Condition on the rows `people` and `direct`, of `direct_lanes`: the lane is that of the person. */
export const IS_LANE_OF_PERSON = `direct.kind = 'telegram' and direct.id = people.telegram::text`;

/** Condition on a row of `people`: a list of groups and people, as `jsonb`, names the person. */
export const IS_ADDRESSED = (names: string): string =>
  `(${names} ? people.name or ${names} ?| people.groups)`;
