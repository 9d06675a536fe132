/**
 * Invented people with German names at about their real frequency, deterministic for a seed. The ten most frequent surnames
 * have their shares of the phone connections of 2018 (Digitales Familiennamenwörterbuch); the following ranks follow a
 * power law that matches the count of rank 19 in the same list. After the known names come compounds, which share
 * syllables as real ones do. First names follow a power law by rank.
 */
import { fold } from '../../shared/patient/search.ts';
import { randomNumbers } from '../support/random.ts';

export interface Person {
  readonly vorname: string;
  readonly nachname: string;
  readonly email: string | null;
}

const CONNECTIONS = 28_600_000;
const COUNTED = [256_003, 190_584, 115_749, 97_658, 86_061, 83_586, 79_732, 74_009, 73_736, 71_440];
const SURNAMES =
  `Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf
  Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Schmitz Krause Meier Lehmann Schmid
  Schulze Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert Vogel
  Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht Schuster Simon Ludwig Böhm Winter Kraus
  Martin Schumacher Krämer Vogt Stein Jäger Otto Sommer Groß Seidel Heinrich Brandt Haas Schreiber Graf Schulte Dietrich Ziegler
  Kuhn Kühn Pohl Engel Horn Busch Bergmann Thomas Voigt Sauer Arnold Wolff Pfeiffer Yılmaz Nguyen Kaya Ivanov Nowak Kowalski Şahin
  Demir Öztürk Çelik Schmidtke Goldschmidt Messerschmidt Li Vo Ng Wu Xu Öz Đorđević O’Connor Łukaszewski`.split(
    /\s+/,
  );
const STEMS =
  `Acker Alten Amt Bach Berg Birken Blumen Brand Breit Brock Brück Buch Burg Busch Dorn Eber Eich Eisen Erl Fasan Feld Fink Flach
  Frei Gold Grab Grün Hagen Hain Hammer Hasel Heid Heim Hell Herz Hirsch Hof Hohen Holz Hopfen Hüls Kalk Kamp Kirch Kirsch Klee
  Kort Kranz Kreuz Kupfer Land Lauter Lehm Linden Loh Mai Mar Mohr Moos Mühl Neu Nieder Nuss Ober Oster Pfann Quell Rade Reh Rein
  Riedel Rohr Rosen Roß Sand Schaf Schell Schlei Schön Schwan See Silber Sonn Spiel Stadt Stahl Steg Stern Stock Strau Stroh Tann
  Teich Thal Trau Uhl Ulm Wald Weid Wein Wiesen Wild Wind Winkel Wirt Zell Ziegen Zucker`.split(/\s+/);
const ENDINGS =
  `mann er bach berger meier ler ner hoff müller ing ke bauer feld stein brecht hauer el becker ert brink haus ow ski huber kamp ens
  schmidt schulte ig hardt ung winkel loh ich eisen ek precht holz rich wig mar egger ich mer dorf heim ath ach old und brock
  schneider weber horst sen a ert ze eck ack us oth ust lein ien auer ler gart ath itz nagel rath wald see kötter`.split(
    /\s+/,
  );
const FIRST_NAMES =
  `Maria Peter Michael Thomas Anna Andreas Wolfgang Klaus Stefan Monika Petra Sabine Jürgen Elisabeth Sandra Ursula Christian
  Martin Julia Renate Karin Alexander Daniel Katharina Markus Claudia Christine Stefanie Susanne Andrea Bernd Frank Laura Lena
  Helga Brigitte Ingrid Erika Nicole Angelika Heike Birgit Gabriele Christina Jan Sebastian Matthias Tobias Florian Johanna Lisa
  Hans Werner Manfred Uwe Ralf Jens Dirk Torsten Sven Marie Sophie Hannah Emma Mia Leonie Lea Emilia Paul Lukas Leon Felix Jonas
  Maximilian Elias Noah Ben Finn Tim Max Moritz Jakob David Philipp Simon Fabian Dominik Kevin Marcel Patrick Dennis Jannik Kim
  Jana Jasmin Vanessa Melanie Nadine Anja Kathrin Silke Ute Gisela Hannelore Gertrud Hildegard Johann Josef Karl Heinrich Friedrich
  Günter Horst Dieter Rolf Gerhard Helmut Rainer Joachim Anneliese Annette Antonia Theresa Franziska Carolin Luisa Clara Charlotte
  Greta Frieda Ida Ella Mila Lina Nele Pia Zoë Chloë Annika Svenja Maike Wiebke Imke Fatma Ayşe Mehmet Mustafa Ali Ahmed Mohammed
  Olga Natalia Tatjana Irina Sergej Dmitrij Piotr Agnieszka Xenia Quentin Yusuf Zeynep Emre Seán Łukasz Bo`.split(
    /\s+/,
  );
const DOMAINS: readonly (readonly [string, number])[] = [
  ['gmail.com', 25],
  ['web.de', 20],
  ['gmx.de', 19],
  ['t-online.de', 9],
  ['outlook.de', 5],
  ['icloud.com', 5],
  ['yahoo.de', 4],
  ['hotmail.com', 4],
  ['gmx.net', 3],
  ['freenet.de', 2],
  ['posteo.de', 2],
  ['example-verein.de', 1],
  ['arcor.de', 1],
];

const surnames = [...SURNAMES, ...STEMS.flatMap((stem) => ENDINGS.map((ending) => stem + ending))];
const surname = drawer(
  surnames.map((_, at) => (COUNTED[at] ?? COUNTED[9]! * (10 / (at + 1)) ** 0.65) / CONNECTIONS),
);
const firstName = drawer(FIRST_NAMES.map((_, at) => (at + 4) ** -0.7));
const domain = drawer(DOMAINS.map(([, share]) => share));

/** The person of a number, the same for the same seed. */
export function personAt(seed: number, number: number): Person {
  const random = randomNumbers(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const double = <T extends string>(one: T, other: () => T) => (random() < 0.03 ? `${one}-${other()}` : one);
  const vorname = double(FIRST_NAMES[firstName(random())]!, () => FIRST_NAMES[firstName(random())]!);
  const nachname = double(surnames[surname(random())]!, () => surnames[surname(random())]!);
  return { vorname, nachname, email: random() < 0.1 ? null : address(vorname, nachname, random) };
}

function address(vorname: string, nachname: string, random: () => number): string {
  const [first, last] = [plain(vorname), plain(nachname)];
  const digits = random() < 0.4 ? String(Math.floor(random() * 100)) : '';
  const form = random();
  const local =
    form < 0.5
      ? `${first}.${last}${digits}`
      : form < 0.65
        ? `${first[0]}.${last}${digits}`
        : form < 0.75
          ? `${last}.${first}`
          : form < 0.85
            ? `${first}${digits}`
            : form < 0.95
              ? `${last}${digits}`
              : `${first[0]}${last}_${digits}`;
  return `${local}@${DOMAINS[domain(random())]![0]}`;
}

/** The spelling of a name in a mail address. */
function plain(name: string): string {
  const umlauts: Record<string, string> = { ä: 'ae', ö: 'oe', ü: 'ue' };
  return fold(name.toLowerCase().replaceAll(/[äöü]/g, (letter) => umlauts[letter]!)).replaceAll(
    /[^a-z-]/g,
    '',
  );
}

/** Picks an index by weight, for a number from 0 to 1. */
function drawer(weights: readonly number[]): (random: number) => number {
  let sum = 0;
  const sums = Float64Array.from(weights, (weight) => (sum += weight));
  return (random) => {
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < random * sum) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
