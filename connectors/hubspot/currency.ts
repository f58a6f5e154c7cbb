/**
 * Minor-unit digits of a currency by ISO 4217; 2 unless listed here.
 * Intl is no source for this: it follows CLDR's habits of display (HUF, COP, IDR, PKR and IQD come out as 0).
 */
export function exponentOf(currency: string): number {
  return EXCEPTIONS[currency] ?? 2;
}

const EXCEPTIONS: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};
