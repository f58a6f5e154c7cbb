/** Scopes as they stand in an install URL: separated by spaces. */
export const splitScopes = (text: string | undefined): string[] =>
  (text ?? '').split(/[\s+]+/).filter((scope) => scope !== '');
