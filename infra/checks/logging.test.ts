/** The audit trail is separate: a sink fills its own bucket, the service's log excludes it, and operators cannot read it. */
import { describe, expect, it } from 'vitest';
import { parseSources, readSources, type Body } from './hcl.ts';

const { resources, locals, variables } = await parseSources(await readSources());
const bodyOf = (type: string, name: string) =>
  resources.find((resource) => resource.type === type && resource.name === name)?.body as Body;

describe('the audit trail', () => {
  it('holds exactly what the code logs as audit', () => {
    expect(locals['audit_trail']).toBe(
      '(log_id("run.googleapis.com/stdout") OR log_id("run.googleapis.com/stderr")) AND jsonPayload.message="audit"',
    );
    const sink = bodyOf('google_logging_project_sink', 'audit_trail');
    expect(sink).toMatchObject({ filter: '${local.audit_trail}' });
    expect(sink['destination']).toContain('google_logging_project_bucket_config.audit_trail.id');
  });

  it('is excluded from the log that operators read', () => {
    const { exclusions } = bodyOf('google_logging_project_sink', 'default');
    expect(exclusions).toContainEqual({ name: 'audit-trail', filter: '${local.audit_trail}' });
  });

  it('is kept for three years unless a variable says otherwise', () => {
    expect(bodyOf('google_logging_project_bucket_config', 'audit_trail')['retention_days']).toBe(
      '${var.audit_trail_retention_days}',
    );
    expect(variables['audit_trail_retention_days']).toMatchObject({ default: 1095 });
  });

  it('can be read by the data protection officers only', () => {
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
