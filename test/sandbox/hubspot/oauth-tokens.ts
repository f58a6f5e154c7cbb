import type { Random } from './random.ts';

export interface AuthorizationCode {
  readonly code: string;
  readonly portalId: number;
  readonly userId: number;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly challenge: string | null;
  readonly expiresAtMs: number;
  used: boolean;
}
export interface RefreshToken {
  readonly token: string;
  readonly portalId: number;
  readonly userId: number;
  readonly scopes: readonly string[];
  revoked: boolean;
}
export interface AccessToken {
  readonly token: string;
  readonly portalId: number;
  readonly userId: number;
  readonly scopes: readonly string[];
  readonly expiresAtMs: number;
  revoked: boolean;
}

export interface TokenStore {
  readonly codes: Map<string, AuthorizationCode>;
  readonly refreshTokens: Map<string, RefreshToken>;
  readonly accessTokens: Map<string, AccessToken>;
  newCode(spec: Omit<AuthorizationCode, 'code' | 'used'>): AuthorizationCode;
  newRefreshToken(spec: Omit<RefreshToken, 'token' | 'revoked'>): RefreshToken;
  newAccessToken(spec: Omit<AccessToken, 'token' | 'revoked'>): AccessToken;
  /** Ends every grant of the portal; access tokens too when the app itself is gone. */
  revokePortal(portalId: number, options: { readonly accessTokensToo: boolean }): void;
}

export function createTokenStore(random: Random): TokenStore {
  const codes = new Map<string, AuthorizationCode>();
  const refreshTokens = new Map<string, RefreshToken>();
  const accessTokens = new Map<string, AccessToken>();
  return {
    codes,
    refreshTokens,
    accessTokens,
    newCode(spec) {
      const code = { ...spec, code: random.uuid(), used: false };
      codes.set(code.code, code);
      return code;
    },
    newRefreshToken(spec) {
      const refresh = { ...spec, token: `na1-${random.uuid()}`, revoked: false };
      refreshTokens.set(refresh.token, refresh);
      return refresh;
    },
    newAccessToken(spec) {
      // Real ones grow with the number of scopes, beyond what a varchar(255) holds.
      const access = { ...spec, token: `CK${random.hex(300)}`, revoked: false };
      accessTokens.set(access.token, access);
      return access;
    },
    revokePortal(portalId, { accessTokensToo }) {
      for (const refresh of refreshTokens.values()) if (refresh.portalId === portalId) refresh.revoked = true;
      if (!accessTokensToo) return;
      for (const access of accessTokens.values()) if (access.portalId === portalId) access.revoked = true;
    },
  };
}
