import type { EvidenceKind, EvidenceRule, RuleSet, TouchpointType } from './types.ts';

/**
 * The rule set an organization starts with.
 * Model of record: role based. The default rules count weak signs too (an e-mail, a note, a task), and under an equal
 * split a partner that was copied on one e-mail earns as much as the one that brought the deal. Role points tell
 * them apart, need no dates of closing, and every credit says "25 of 75 role points", which a rep can check by eye.
 */
export function createDefaultRuleSet(version: number): RuleSet {
  return {
    version,
    evidenceRules: [...associationRules(), ...meetingRules(), ...otherActivityRules(), ...fieldRules()],
    windowDays: 180,
    modelOfRecord: 'role_based',
    timeDecayLambdaPpm: 100_000,
    roleWeights: {
      referral: 30,
      deal_registration: 30,
      demo: 25,
      proposal: 25,
      negotiation: 20,
      introduction: 20,
      meeting: 15,
      content_share: 10,
      call: 10,
      email: 5,
      note: 5,
      task: 5,
    },
    houseSharePpm: 0,
  };
}

const REFERRAL_WORDS = [
  'referral',
  'referrals',
  'referred',
  'referrer',
  'refer',
  'affiliate',
  'lead source',
  'sourced by',
];
const REGISTRATION_WORDS = ['registration', 'registered', 'deal reg', 'dealreg'];
const CONTENT_WORDS = [
  'content',
  'whitepaper',
  'white paper',
  'ebook',
  'case study',
  'webinar',
  'brochure',
  'datasheet',
];

/** A label on the deal–company association says what the partner is to this deal. */
function associationRules(): readonly EvidenceRule[] {
  return [
    rule('association', 'registration', 'deal_registration', REGISTRATION_WORDS),
    rule('association', 'referral', 'referral', REFERRAL_WORDS),
    rule('association', 'seller', 'negotiation', [
      'reseller',
      'distributor',
      'distribution',
      'marketplace',
      'var',
    ]),
    // Who will build or integrate the solution shapes the offer.
    rule('association', 'builder', 'proposal', [
      'implementation',
      'implementer',
      'integrator',
      'integration',
      'technology',
      'consultant',
      'agency',
    ]),
    rule('association', 'any', 'introduction'),
  ];
}

/** The portal's own meeting type; a meeting without a telling type still is one. */
function meetingRules(): readonly EvidenceRule[] {
  return [
    rule('meeting', 'demo', 'demo', ['demo', 'demos', 'demonstration', 'proof of concept', 'poc']),
    rule('meeting', 'proposal', 'proposal', ['proposal', 'quote', 'offer', 'scoping']),
    rule('meeting', 'negotiation', 'negotiation', [
      'negotiation',
      'negotiating',
      'contract',
      'pricing',
      'procurement',
      'legal',
    ]),
    rule('meeting', 'introduction', 'introduction', [
      'intro',
      'introduction',
      'introductory',
      'discovery',
      'kick',
      'kickoff',
      'first meeting',
    ]),
    rule('meeting', 'any', 'meeting'),
  ];
}

function otherActivityRules(): readonly EvidenceRule[] {
  return [
    rule('call', 'any', 'call'),
    rule('email', 'content', 'content_share', CONTENT_WORDS),
    rule('email', 'any', 'email'),
    rule('note', 'any', 'note'),
    rule('task', 'any', 'task'),
  ];
}

/** A partner named in a property of the deal; the label is the property's name. */
function fieldRules(): readonly EvidenceRule[] {
  return [
    rule('field', 'registration', 'deal_registration', REGISTRATION_WORDS),
    rule('field', 'any', 'referral'),
  ];
}

function rule(
  kind: EvidenceKind,
  name: string,
  touchpoint: TouchpointType,
  labelWords?: readonly string[],
): EvidenceRule {
  const id = `${kind}-${name}`;
  return labelWords ? { id, kind, labelWords, touchpoint } : { id, kind, touchpoint };
}
