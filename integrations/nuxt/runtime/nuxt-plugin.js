// For the server of Nuxt 4 (nitropack). Not called for errors, which are thus not kept.

import options from '#freshet-options';
import { getRouteRules } from 'nitropack/runtime';
import { fieldsOf } from './say.js';

export default (app) => {
  app.hooks.hook('beforeResponse', (event) => {
    const { req, res } = event.node;
    const request = { method: req.method, cookie: req.headers.cookie, authorization: req.headers.authorization };
    const response = { status: res.statusCode, get: (name) => res.getHeader(name) };
    const path = event.path.split('?')[0];
    for (const [name, value] of fieldsOf(getRouteRules(event).freshet, { request, response, path, tags: event.context.freshetTags, personal: options.personal })) {
      if (value === null) res.removeHeader(name);
      else res.setHeader(name, value);
    }
  });
};
