/** The audit trail lies apart: one bucket that its sink fills, that the service's log leaves out and operators cannot read. */
import { describe, expect, it } from 'vitest';
import { parseSources, readSources, type Body } from './hcl.ts';

const { resources, locals, variables } = await parseSources(await readSources());
const bodyOf = (type: string, name: string) =>
  resources.find((resource) => resource.type === type && resource.name === name)?.body as Body;

describe('the audit trail', () => {
  it('is what the code logs as audit, and nothing else', () => {
    expect(locals['audit_trail']).toBe(
      '(log_id("run.googleapis.com/stdout") OR log_id("run.googleapis.com/stderr")) AND jsonPayload.message="audit"',
    );
    const sink = bodyOf('google_logging_project_sink', 'audit_trail');
    expect(sink).toMatchObject({ filter: '${local.audit_trail}' });
    expect(sink['destination']).toContain('google_logging_project_bucket_config.audit_trail.id');
  });

  it('is left out of the log that operators read', () => {
    const { exclusions } = bodyOf('google_logging_project_sink', 'default');
    expect(exclusions).toContainEqual({ name: 'audit-trail', filter: '${local.audit_trail}' });
  });

  it('is kept for three years unless a variable says otherwise', () => {
    expect(bodyOf('google_logging_project_bucket_config', 'audit_trail')['retention_days']).toBe(
      '${var.audit_trail_retention_days}',
    );
    expect(variables['audit_trail_retention_days']).toMatchObject({ default: 1095 });
  });

  it('is read by the data protection officers alone', () => {
    const readers = resources
      .filter(({ type, body }) => /_iam_/.test(type) && JSON.stringify(body).includes('.audit_trail.'))
      .map(({ body }) => [body['role'], body['for_each']]);
    expect(readers).toEqual([['roles/logging.viewAccessor', '${toset(var.data_protection_officers)}']]);
    const roles = JSON.stringify(resources.filter(({ type }) => /_iam_/.test(type)));
    expect(roles).not.toMatch(
      /roles\/logging\.(viewer|privateLogViewer|admin)|roles\/(viewer|editor|owner)\b/,
    );
  });
});
