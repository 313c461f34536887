import { api, bodyOf } from './api';

/** The page to which the provider sends the browser back. */
const CALLBACK = '/console/oidc/callback';

/** The view that the person wanted before; of this tab alone. */
const PLACE = 'countersign-place';

/** Leaves the page for the provider. */
export async function goToProvider(): Promise<void> {
  const { url } = await bodyOf(api.POST('/console/oidc/sign-in'));
  sessionStorage.setItem(PLACE, location.pathname + location.search);
  location.assign(url);
}

/**
 * The provider's answer, if it has just sent the browser here. It leaves the address at once, for the view from which the person
 * came.
 */
export function takeProviderAnswer(): string | null {
  if (location.pathname !== CALLBACK) return null;
  const answer = location.search;
  const place = sessionStorage.getItem(PLACE) ?? '';
  sessionStorage.removeItem(PLACE);
  const isView = place.startsWith('/console') && !place.startsWith(CALLBACK);
  window.history.replaceState(null, '', isView ? place : '/console');
  return answer;
}
