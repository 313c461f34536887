import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from './api';
import { forgetPageSecret } from './page-secret';

/** Ends this session, or all sessions of its key. */
export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (reach: 'here' | 'everywhere') =>
      reach === 'here' ? api.DELETE('/console/session') : api.DELETE('/console/sessions'),
    onSettled: () => {
      forgetPageSecret();
      return queries.resetQueries();
    },
  });
}
