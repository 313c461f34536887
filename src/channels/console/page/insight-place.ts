export const SPANS = { day: 1, week: 7, month: 30, quarter: 91 } as const;
export const PARTS = ['tool', 'agent', 'person', 'rule'] as const;

/** The part of the insight view that an address names. */
export interface InsightPlace {
  readonly span?: keyof typeof SPANS;
  readonly by?: (typeof PARTS)[number];
}

/** Reads the place from an address, which may contain anything. */
export function readInsightPlace({ span, by }: Record<string, unknown>): InsightPlace {
  const part = PARTS.find((each) => each === by);
  return {
    ...(typeof span === 'string' && Object.hasOwn(SPANS, span) && { span: span as keyof typeof SPANS }),
    ...(part !== undefined && { by: part }),
  };
}
