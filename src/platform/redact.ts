/**
 * What may be logged: the same value with everything that could be a secret taken out. Errors become plain facts.
 * Rather too much than too little: a field called like a secret is gone whatever it holds.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL) return redactText(value.href);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Headers) return redact(Object.fromEntries(value), depth);
  if (value instanceof Request || value instanceof Response)
    return `[${value.constructor.name} ${redactText(value.url)}]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redact(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return redact([...value], depth + 1);
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ITEMS)
      .map(([name, item]) => [
        name,
        isSecretName(name) && holdsSomething(item) ? REDACTED : redact(item, depth + 1),
      ]),
  );
}

const REDACTED = '[redacted]';
/** Also what ends a circle of references. */
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 8_000;

const SECRET_NAME =
  /authorization|cookie|passw|secret|credential|private_?key|api_?key|master_?key|(token|tokens|verifier|signature|assertion)$/i;

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replaceAll('-', '_'));
}

/** `hasToken: true` and `tokens: 3` tell nothing. */
function holdsSomething(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

/**
 * Name, message, stack, cause and the few codes that help. An SDK's error also carries its request with headers, and a
 * database's error the values of the row: neither is looked at.
 */
function redactError(error: Error, depth: number): Record<string, unknown> {
  const facts: Record<string, unknown> = { name: error.name, message: redactText(error.message) };
  for (const name of [
    'code',
    'status',
    'statusCode',
    'reason',
    'afterMs',
    'severity',
    'constraint_name',
    'table_name',
    'column_name',
  ]) {
    const fact: unknown = Reflect.get(error, name);
    if (typeof fact === 'string' || typeof fact === 'number') facts[name] = redact(fact);
  }
  if (error.stack) facts.stack = redactText(error.stack);
  if (error.cause !== undefined) facts.cause = redact(error.cause, depth + 1);
  if (error instanceof AggregateError) facts.errors = redact(error.errors, depth + 1);
  return facts;
}

const PARAMETER =
  'code|state|access_token|refresh_token|id_token|token|client_secret|code_verifier|assertion|password|secret|signature|sig|key|api_?key|hapikey';

const RULES: readonly (readonly [RegExp, string])[] = [
  // drizzle prints the statement's parameters into its message
  [/\bparams: [\s\S]*?(?=\n\s+at |$)/g, `params: ${REDACTED}`],
  // scheme://user:password@host
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/?#@"']*):[^\s/?#"']*@/gi, `$1:${REDACTED}@`],
  // the whole query of an OAuth address
  [/(\/oauth[^\s?"']*)\?[^\s"'<>]*/gi, `$1?${REDACTED}`],
  [/\b(bearer|basic|hmac)(\s+)(?=[^\s,"']*[\d+/=_.-])[^\s,"']{6,}/gi, `$1$2${REDACTED}`],
  [
    /\b((?:proxy-)?authorization|set-cookie|cookie|x-[a-z-]*(?:signature|token|key)[a-z0-9-]*)("?'?\s*[:=]\s*)(?!\[redacted)[^\n]+/gi,
    `$1$2${REDACTED}`,
  ],
  [
    new RegExp(
      `(["'](?:${PARAMETER}|[a-z]*(?:Token|Secret|Password))["']\\s*:\\s*)(["'])(?:\\\\.|(?!\\2).)*(?:\\2|$)`,
      'gi',
    ),
    `$1"${REDACTED}"`,
  ],
  [new RegExp(`((?:^|[?&\\s;,("'])(?:${PARAMETER})=)[^&\\s"'<>;,)]+`, 'gi'), `$1${REDACTED}`],
  // shapes: JSON web tokens, our API keys, HubSpot's private app tokens, our master keys
  [/\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?/g, REDACTED],
  [/\btrb_[0-9A-Za-z]+_[0-9A-Za-z]+/g, REDACTED],
  [/\bpat-[a-z]{2}\d-[0-9a-f-]{8,}/gi, REDACTED],
  [/\bv\d+:[A-Za-z0-9+/]{43}=/g, REDACTED],
];

/** A text without what looks like a credential in it. */
export function redactText(text: string): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return RULES.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), short);
}
