// Fills in the local stack's admin token and the id of an existing patient, so that "try it" works at once.
const json = async (path, headers = {}) => (await fetch(path, { headers })).json();
const said = document.querySelector('#as');
try {
  const [spec, tokens] = await Promise.all([json('/openapi.json'), json('/local/tokens')]);
  const newest = await json('/api/patients?limit=1', {
    authorization: `Bearer ${tokens.reader}`,
    'x-background': '1',
  });
  const id = newest.data?.[0]?.id;
  for (const methods of Object.values(spec.paths))
    for (const { parameters = [] } of Object.values(methods))
      for (const parameter of parameters)
        if (id !== undefined && parameter.in === 'path' && parameter.name === 'id') parameter.example = id;
  const ui = window.SwaggerUIBundle({
    spec,
    dom_id: '#contract',
    deepLinking: true,
    tryItOutEnabled: true,
    persistAuthorization: false,
    validatorUrl: null,
    onComplete: () => ui.preauthorizeApiKey('bearer', tokens.admin),
  });
  said.textContent = `the admin token of this stack is filled in${id === undefined ? '' : `, and patient ${id}`}`;
} catch {
  said.textContent = 'The API does not answer: start it on the page, then reload this one.';
}
