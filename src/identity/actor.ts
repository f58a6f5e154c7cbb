/** Who made a change. Every mutation has one, and the audit log names it. */
export interface Actor {
  readonly kind: 'member' | 'api_key' | 'crm_user' | 'operator' | 'system';
  /** Ours for members and keys; `{provider}:{account}:{user}` for CRM users; a name for operators and the system. */
  readonly id: string;
}

/** Who changes something, and when. */
export interface By {
  readonly actor: Actor;
  readonly now: Date;
}
