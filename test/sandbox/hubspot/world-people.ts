import { DAY_MS, type Seeding } from './seeding.ts';

export interface Company {
  readonly id: string;
  readonly name: string;
  readonly contacts: readonly string[];
}
export interface People {
  readonly partners: readonly Company[];
  readonly customers: readonly Company[];
}

const FIRST = [
  'Ada',
  'Bo',
  'Chen',
  'Dara',
  'Emil',
  'Fatou',
  'Goro',
  'Hana',
  'Ivo',
  'Jun',
  'Kofi',
  'Lena',
] as const;
const LAST = [
  'Adler',
  'Brandt',
  'Costa',
  'Diallo',
  'Evans',
  'Fischer',
  'Goto',
  'Haddad',
  'Ito',
  'Jansen',
] as const;
const LEAD = [
  'North',
  'Blue',
  'Iron',
  'Silver',
  'Bright',
  'Stone',
  'River',
  'Cedar',
  'Atlas',
  'Nova',
  'Delta',
] as const;
const TRADE = [
  'Logistics',
  'Foods',
  'Health',
  'Energy',
  'Media',
  'Textiles',
  'Robotics',
  'Bank',
  'Travel',
] as const;
const PARTNER_TRADE = [
  'Consulting',
  'Systems',
  'Cloud',
  'Integrators',
  'Advisors',
  'Digital',
  'Resale',
] as const;

/** Partner companies with their people, customers (some with a parent), and people who changed employer. */
export function seedPeople(
  seeding: Seeding,
  counts: { partners: number; customers: number; months: number },
): People {
  const partners = Array.from({ length: counts.partners }, (_, n) => seedPartner(seeding, n, counts.months));
  const customers = Array.from({ length: counts.customers }, (_, n) =>
    seedCustomer(seeding, n, counts.months),
  );
  joinFamilies(seeding, customers);
  changeEmployers(seeding, partners);
  return { partners, customers };
}

function seedPartner(seeding: Seeding, n: number, months: number): Company {
  const { random } = seeding;
  const name = `${random.pick(LEAD)} ${random.pick(PARTNER_TRADE)} ${n + 1}`;
  const domain = `partner${n + 1}.example`;
  const type = n % 7 === 3 ? 'RESELLER' : 'PARTNER';
  return seedCompany(seeding, { name, domain, type, people: random.between(2, 5), months });
}

function seedCustomer(seeding: Seeding, n: number, months: number): Company {
  const { random } = seeding;
  const name = `${random.pick(LEAD)} ${random.pick(TRADE)} ${n + 1}`;
  const type = random.chance(0.2) ? 'PROSPECT' : null;
  return seedCompany(seeding, {
    name,
    domain: `customer${n + 1}.example`,
    type,
    people: random.between(1, 3),
    months,
  });
}

function seedCompany(
  seeding: Seeding,
  spec: { name: string; domain: string; type: string | null; people: number; months: number },
): Company {
  const { random, nowMs } = seeding;
  // Records came in by imports: many share one timestamp to the millisecond.
  const importedAtMs = nowMs - (spec.months * 30 + 30 + 7 * random.between(0, 12)) * DAY_MS;
  const { name, domain, type } = spec;
  const company = seeding.add('companies', { name, domain, type, country: 'US' }, importedAtMs);
  const contacts = Array.from({ length: spec.people }, (_, n) => {
    const first = random.pick(FIRST);
    const last = random.pick(LAST);
    const host = random.chance(0.05) ? 'gmail.com' : domain;
    const email = `${first}.${last}.${company.id}.${n}@${host}`.toLowerCase();
    const contact = seeding.add('contacts', { email, firstname: first, lastname: last }, importedAtMs);
    seeding.link({ type: 'contacts', id: contact.id }, { type: 'companies', id: company.id }, 'Primary');
    return contact.id;
  });
  return { id: company.id, name, contacts };
}

function joinFamilies(seeding: Seeding, customers: readonly Company[]): void {
  customers.forEach((child, n) => {
    const parent = customers[Math.floor(n / 10) * 10];
    if (n % 10 < 8 || parent === undefined || parent === child) return;
    seeding.link({ type: 'companies', id: child.id }, { type: 'companies', id: parent.id }, 'Parent Company');
    const row = seeding.table('companies').rows.get(child.id);
    if (row === undefined) return;
    row.values = { ...row.values, hs_parent_company_id: parent.id };
    row.version += 1;
    seeding.table('companies').index.put(row);
  });
}

/** One in fifteen partner people also worked, or works now, for another partner. */
function changeEmployers(seeding: Seeding, partners: readonly Company[]): void {
  const { random } = seeding;
  for (const partner of partners) {
    for (const contact of partner.contacts) {
      if (!random.chance(1 / 15)) continue;
      const next = random.pick(partners);
      if (next === partner) continue;
      seeding.link({ type: 'contacts', id: contact }, { type: 'companies', id: next.id }, 'Primary');
    }
  }
}
