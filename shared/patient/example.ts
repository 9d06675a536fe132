/** The invented patient of the contract's and the pages' examples, as a client writes it. */
export const examplePatient = {
  anrede: 'Frau',
  geschlecht: 'weiblich',
  vorname: 'Lena',
  nachname: 'Beispiel',
  strasse: 'Musterweg 4',
  plz: '50667',
  ort: 'Köln',
  email: 'lena@example.org',
  telefon: '+49 221 000000',
  geburtsdatum: '1991-04-02',
  symptome: ['Schlafstörungen', 'Sorgen / Grübeln'],
  zeitliche_verfuegbarkeit: { montag: ['08:00-12:00'] },
  raeumliche_verfuegbarkeit: { max_km: 20 },
  verkehrsmittel: 'ÖPNV',
} as const;
