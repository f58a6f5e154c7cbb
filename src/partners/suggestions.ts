import type { PartnerType } from '../attribution/types.ts';

/** One reason to believe that a company is a partner, with how much of it was seen. */
export interface SuggestionEvidence {
  readonly kind: 'company_type' | 'association_label' | 'email_domain';
  /** The company type, the label or the domain. */
  readonly value: string;
  /** Records that show it: the company itself, deals, or people. */
  readonly count: number;
  /** The partner whose domain it is; for `email_domain` only. */
  readonly partnerName: string | null;
}
export interface CandidateCompany {
  readonly connectionId: string;
  readonly accountExternalId: string;
  readonly name: string | null;
  readonly domain: string | null;
  readonly evidence: readonly SuggestionEvidence[];
}
export interface Suggestion extends CandidateCompany {
  /** To be checked by the person who accepts. */
  readonly suggestedType: PartnerType;
  /** One sentence per piece of evidence, strongest first. */
  readonly reasons: readonly string[];
}

/** CRM company types that say "partner", in lower case. HubSpot's own are PARTNER and RESELLER; the rest are common. */
export const PARTNER_COMPANY_TYPES: readonly string[] = [
  'partner',
  'reseller',
  'distributor',
  'agency',
  'affiliate',
  'integrator',
  'system integrator',
  'referral partner',
  'technology partner',
  'solution partner',
  'channel partner',
];

/** Mail providers that anybody may use: sharing one says nothing. */
export const FREE_MAIL_DOMAINS: readonly string[] = [
  '163.com',
  '126.com',
  'aol.com',
  'bk.ru',
  'comcast.net',
  'fastmail.com',
  'free.fr',
  'freenet.de',
  'gmail.com',
  'gmx.at',
  'gmx.ch',
  'gmx.com',
  'gmx.de',
  'gmx.net',
  'googlemail.com',
  'hey.com',
  'hotmail.co.uk',
  'hotmail.com',
  'hotmail.de',
  'hotmail.fr',
  'icloud.com',
  'inbox.ru',
  'laposte.net',
  'libero.it',
  'list.ru',
  'live.com',
  'live.co.uk',
  'mac.com',
  'mail.com',
  'mail.ru',
  'me.com',
  'msn.com',
  'orange.fr',
  'outlook.com',
  'outlook.de',
  'pm.me',
  'posteo.de',
  'proton.me',
  'protonmail.com',
  'qq.com',
  'rediffmail.com',
  'rocketmail.com',
  't-online.de',
  'tutanota.com',
  'verizon.net',
  'wanadoo.fr',
  'web.de',
  'yahoo.co.in',
  'yahoo.co.jp',
  'yahoo.co.uk',
  'yahoo.com',
  'yahoo.de',
  'yahoo.fr',
  'yandex.com',
  'yandex.ru',
  'ymail.com',
  'zoho.com',
];

const TYPE_WORDS: readonly (readonly [word: string, type: PartnerType])[] = [
  ['resell', 'reseller'],
  ['distribut', 'distributor'],
  ['affiliate', 'affiliate'],
  ['agency', 'agency'],
  ['consult', 'agency'],
  ['implement', 'agency'],
  ['integrat', 'integration'],
  ['technolog', 'technology'],
];

/** Evidence of several kinds comes first, then the one seen most often; equal ones by id, so that pages hold still. */
export function toSuggestions(companies: readonly CandidateCompany[]): readonly Suggestion[] {
  return companies.map(toSuggestion).sort(byStrength);
}

function toSuggestion(company: CandidateCompany): Suggestion {
  const evidence = company.evidence.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  const words = evidence.map(({ value }) => value.toLowerCase());
  const [, suggestedType] = TYPE_WORDS.find(([word]) => words.some((text) => text.includes(word))) ?? [];
  return { ...company, evidence, suggestedType: suggestedType ?? 'referral', reasons: evidence.map(explain) };
}

function explain({ kind, value, count, partnerName }: SuggestionEvidence): string {
  if (kind === 'company_type') return `The CRM calls this company “${value}”.`;
  if (kind === 'association_label')
    return `It is on ${count === 1 ? 'one deal' : `${count} deals`} as “${value}”.`;
  const people = count === 1 ? 'One of its people writes' : `${count} of its people write`;
  return `${people} from ${value}, the domain of your partner ${partnerName ?? ''}.`;
}

const kinds = ({ evidence }: Suggestion): number => new Set(evidence.map(({ kind }) => kind)).size;
const seen = ({ evidence }: Suggestion): number => evidence.reduce((sum, { count }) => sum + count, 0);

function byStrength(a: Suggestion, b: Suggestion): number {
  const ids = [a, b].map(({ connectionId, accountExternalId }) => `${connectionId} ${accountExternalId}`);
  return kinds(b) - kinds(a) || seen(b) - seen(a) || ((ids[0] ?? '') < (ids[1] ?? '') ? -1 : 1);
}
