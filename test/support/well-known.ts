/** Names every test shares: keys, bot, chat and people. */
export const AGENT_KEY = `test-agent-${'a'.repeat(32)}`;
export const OPERATOR_KEY = `test-operator-${'o'.repeat(32)}`;
export const BOT_TOKEN = '1000000001:test-token-for-the-local-sandbox-only';
export const CHAT_ID = '-1001';
export const OPERATOR_ID = 1;
export const STRANGER_ID = 2;

/** The environment that points a service at a sandbox. */
export function telegramEnvironment(sandboxUrl: string): Record<string, string> {
  return {
    TELEGRAM_BOT_TOKEN: BOT_TOKEN,
    TELEGRAM_CHAT_ID: CHAT_ID,
    TELEGRAM_OPERATORS: `${OPERATOR_ID}:Olivia`,
    TELEGRAM_API_ROOT: sandboxUrl,
  };
}
