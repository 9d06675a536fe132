/**
 * The arguments that the google provider knows, for the resources that infra/ uses. The file beside this one is
 * distilled from the provider's published TypeScript bindings by distil-schema.ts.
 */
import schema from './provider-schema.json' with { type: 'json' };

export interface Argument {
  readonly type: 'string' | 'number' | 'bool' | 'list' | 'map';
  readonly required?: true;
}

export interface Block {
  readonly arguments: Readonly<Record<string, Argument>>;
  readonly blocks: Readonly<Record<string, NestedBlock>>;
}

export interface NestedBlock extends Block {
  readonly required?: true;
  readonly single?: true;
}

export interface TypeSchema extends Block {
  /** Every attribute that a reference may name. */
  readonly exports: readonly string[];
}

export interface ProviderSchema {
  readonly provider: string;
  readonly resource: Readonly<Record<string, TypeSchema>>;
  readonly data: Readonly<Record<string, TypeSchema>>;
}

export const providerSchema = schema as ProviderSchema;
