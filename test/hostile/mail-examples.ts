/** Files that try to abuse the confirmation mail: to choose its text, or to flood an address. */
import { describe, expect, it } from 'vitest';
import { aRegistration } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import type { HostileWorld } from './world.ts';

export function mailExamples(world: () => HostileWorld): void {
  const mailsTo = async (address: string) =>
    (await world().mails('emails')).filter((mail) => mail['empfaenger_email'] === address);

  describe('the confirmation mail', () => {
    it.each([
      ['iban', 'Ihre IBAN hat sich geändert: DE02 1203 0000 0000 2020 51'],
      ['www', 'www.example.net/bezahlen'],
      ['domain', 'Mustermann example.net'],
      ['markdown', '[hier](https://example.net)'],
      ['html', '<a href="https://example.net">hier</a>'],
    ])('does not repeat a surname that does not look like a name (%s)', async (label, nachname) => {
      const address = `relay-${label}@example.org`;
      await (await world().upload(aRegistration({ email: address, nachname }))).settled();
      const [mail] = await eventually(async () => {
        const mails = await mailsTo(address);
        expect(mails).toHaveLength(1);
        return mails;
      });
      const text = JSON.stringify(mail);
      expect(text).not.toMatch(/example\.net|DE02|geändert/);
      expect(text).toContain('Guten Tag');
    });

    it('goes to one address at most three times a day', async () => {
      const address = 'flooded@example.org';
      for (let n = 1; n <= 5; n += 1) {
        const object = await world().upload(
          aRegistration({ email: n % 2 ? address : 'Flooded@Example.org' }),
        );
        expect(await object.settled()).toMatchObject({ outcome: 'imported' });
      }
      await world().untilMailsAreSent();
      const mails = (await world().mails('emails')).filter(
        (mail) => String(mail['empfaenger_email']).toLowerCase() === address,
      );
      expect(mails).toHaveLength(3);
    });
  });
}
