/**
 * Three rules for oxlint: `rooms/arrows` checks every import against arrows.ts, `rooms/collections` every name of a Firestore
 * collection, and `rooms/pure` forbids the impure members that `no-undef` misses in the domain (.oxlintrc.json lists its globals).
 */
import { posix, relative, resolve, dirname, sep } from 'node:path';
import type { RuleTester } from 'oxlint/plugins-dev';
import { ANY, arrows, besideItsModule, collections, KAFKA_CLIENT, TEST_FILE } from './arrows.ts';

type Rule = Extract<Parameters<RuleTester['run']>[1], { readonly create: unknown }>;
type Visitor = ReturnType<Rule['create']>;
type Visited<K extends keyof Visitor> = Parameters<NonNullable<Visitor[K]>>[0];
type Call = Visited<'CallExpression'>;
/** Any expression; oxlint exports the types of its syntax tree only in this way. */
type Expression = Call['callee'] | Call['arguments'][number] | Visited<'MemberExpression'>['property'];
type Context = Parameters<Rule['create']>[0];
type Place = Extract<Parameters<Context['report']>[0], { readonly node: unknown }>['node'];
type Named = Visited<'ImportDeclaration'> | Visited<'ExportNamedDeclaration'>;

const root = resolve(import.meta.dirname, '../..');

const inRepository = (path: string) => relative(root, path).split(sep).join(posix.sep);

/** True when `path` is that file or lies below that folder. */
const lies = (path: string, where: string) => path === where || path.startsWith(`${where}/`);

interface Room {
  readonly files: readonly string[];
  readonly packages: readonly string[] | typeof ANY;
  readonly mayUseKafkaClient: boolean;
}

/** What a file may import; undefined when no row of the table covers it. */
function roomOf(file: string): Room | undefined {
  const isTest = TEST_FILE.test(file) || lies(file, 'test');
  if (isTest && !file.includes('/')) return { files: [], packages: ANY, mayUseKafkaClient: false };
  const key = Object.keys(arrows)
    .filter((row) => lies(file, row))
    .reduce((longest, row) => (row.length > longest.length ? row : longest), '');
  const row = arrows[key];
  if (row === undefined) return undefined;
  const own = key === file ? posix.dirname(key) : key;
  const more = isTest ? besideItsModule : { files: [], packages: row.packages };
  return { files: [own, ...row.files, ...more.files], packages: more.packages, mayUseKafkaClient: isTest };
}

/**
 * Why a file may not import something; undefined when it may.
 * @param names the names imported from the module; undefined when the whole module is imported
 */
function objection(file: string, source: string, names: readonly string[] | undefined): string | undefined {
  const room = roomOf(file);
  if (room === undefined) return `infra/lint/arrows.ts has no row for ${file}: add one for its folder.`;
  const refused = `${file} may not import ${source}: infra/lint/arrows.ts lists what it may.`;
  if (source.startsWith('.')) {
    const target = inRepository(resolve(root, dirname(file), source));
    if (TEST_FILE.test(target)) return `No file may import a test: ${target}.`;
    return room.files.some((allowed) => lies(target, allowed)) ? undefined : refused;
  }
  if (source === KAFKA_CLIENT && room.mayUseKafkaClient) return undefined;
  if (room.packages === ANY) return lies(source, KAFKA_CLIENT) ? refused : undefined;
  const isAllowed = room.packages.some((allowed) => {
    const [name, only] = allowed.split(/[{}]/);
    return (
      name === source && (only === undefined || names?.every((taken) => only.split(',').includes(taken)))
    );
  });
  return isAllowed ? undefined : refused;
}

/** The names that an import or re-export takes; undefined when it takes the whole module or its default. */
function namesOf(node: Named): string[] | undefined {
  const names = node.specifiers.map((specifier) => {
    if (specifier.type === 'ImportSpecifier') return nameOf(specifier.imported);
    if (specifier.type === 'ExportSpecifier') return nameOf(specifier.local);
    return 'default';
  });
  return names.includes('default') ? undefined : names;
}

const nameOf = (node: Visited<'ExportSpecifier'>['local']) =>
  node.type === 'Literal' ? node.value : node.name;

/** The text of a literal or of a template without substitutions; undefined for anything computed. */
function textOf(node: Expression | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? '';
  return undefined;
}

const arrowsRule: Rule = {
  create(context) {
    const file = inRepository(context.filename);
    const check = (node: Place, source: string, names?: readonly string[]) => {
      const message = objection(file, source, names);
      if (message !== undefined) context.report({ node, message });
    };
    const checkComputed = (node: Place, argument: Expression | undefined) => {
      const source = textOf(argument);
      if (source !== undefined) check(node, source);
      else if (lies(file, 'functions') || lies(file, 'shared'))
        context.report({
          node,
          message: 'An import names its module: infra/lint/arrows.ts cannot judge a computed one.',
        });
    };
    return {
      Program(node) {
        if (roomOf(file) === undefined) check(node, '.');
      },
      ImportDeclaration: (node) => check(node, node.source.value, namesOf(node)),
      ExportAllDeclaration: (node) => check(node, node.source.value),
      ExportNamedDeclaration(node) {
        if (node.source !== null) check(node, node.source.value, namesOf(node));
      },
      ImportExpression: (node) => checkComputed(node, node.source),
      TSImportType: (node) => checkComputed(node, node.source),
      TSExternalModuleReference: (node) => checkComputed(node, node.expression),
      CallExpression(node) {
        const { callee } = node;
        if (callee.type === 'Identifier' && callee.name === 'require') checkComputed(node, node.arguments[0]);
        if (calledName(callee) === 'getBuiltinModule') checkComputed(node, node.arguments[0]);
      },
    };
  },
};

/** The name in `object.name` and `object['name']`; undefined when it is computed. */
function propertyOf({ property, computed }: Visited<'MemberExpression'>): string | undefined {
  return property.type === 'Identifier' && !computed ? property.name : textOf(property);
}

/** The method's name in `object.method(…)`. */
function calledName(callee: Call['callee']): string | undefined {
  return callee.type === 'MemberExpression' ? propertyOf(callee) : undefined;
}

const collectionsRule: Rule = {
  create(context) {
    const file = inRepository(context.filename);
    return {
      CallExpression(node) {
        const name = calledName(node.callee);
        const argument = textOf(node.arguments[0]);
        if (name === 'collection' || name === 'collectionGroup') {
          if (argument !== undefined && collections[argument] === file) return;
          const owner = argument === undefined ? undefined : collections[argument];
          const message = `Only ${owner ?? 'the module that infra/lint/arrows.ts lists'} names this collection.`;
          context.report({ node, message });
        }
        if (name === 'doc' && node.arguments[0] !== undefined && hasSlash(node.arguments[0])) {
          context.report({ node, message: 'A path names a collection: start at the module that owns it.' });
        }
      },
    };
  },
};

function hasSlash(node: Expression): boolean {
  if (node.type === 'TemplateLiteral') return node.quasis.some(({ value }) => value.raw.includes('/'));
  return textOf(node)?.includes('/') ?? false;
}

/** The members that read the machine, of the globals that the domain may use. */
const impure = new Map([
  ['Math', 'random'],
  ['Temporal', 'Now'],
]);

const pureRule: Rule = {
  create(context) {
    const report = (node: Place, message: string) =>
      context.report({ node, message: `The domain is pure: ${message}` });
    const declared = 'a declaration would hide a global from the linter.';
    return {
      Identifier(node) {
        const member = impure.get(node.name);
        if (
          member === undefined ||
          node.parent.type === 'ImportSpecifier' ||
          node.parent.type === 'TSQualifiedName'
        )
          return;
        const { parent } = node;
        const used =
          parent.type === 'MemberExpression' && parent.object === node ? propertyOf(parent) : undefined;
        if (used === undefined || used === member)
          report(node, `${node.name} is for its other members than ${member}.`);
      },
      VariableDeclaration(node) {
        const isBrand = node.declarations.every(
          ({ id }) => id.typeAnnotation?.typeAnnotation.type === 'TSTypeOperator',
        );
        if (node.declare === true && !isBrand) report(node, declared);
      },
      TSDeclareFunction: (node) => report(node, declared),
      TSModuleDeclaration: (node) => report(node, declared),
      TSGlobalDeclaration: (node) => report(node, declared),
      ClassDeclaration(node) {
        if (node.declare === true) report(node, declared);
      },
    };
  },
};

const plugin = {
  meta: { name: 'rooms' },
  rules: { arrows: arrowsRule, collections: collectionsRule, pure: pureRule },
};

export default plugin;
