/**
 * A rule for oxlint: `docs/required` requires a docstring directly above each export. Readers use `shared/` without reading
 * its bodies, so shapes, units and errors must be documented at the name.
 */
import type { RuleTester } from 'oxlint/plugins-dev';

type Rule = Extract<Parameters<RuleTester['run']>[1], { readonly create: unknown }>;

export const required: Rule = {
  create: (context) => ({
    ExportNamedDeclaration(node) {
      if (node.declaration === null) return;
      // A comment followed by a blank line is about the file.
      const above = context.sourceCode
        .getCommentsBefore(node)
        .some(
          ({ type, value, loc }) =>
            type === 'Block' && value.startsWith('*') && loc.end.line === node.loc.start.line - 1,
        );
      if (!above) context.report({ node, message: 'An export needs a docstring directly above it.' });
    },
  }),
};

export default { meta: { name: 'docs' }, rules: { required } };
