// Bearer tokens stay in the page: nothing is kept in the browser after it is closed.
window.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#contract',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
