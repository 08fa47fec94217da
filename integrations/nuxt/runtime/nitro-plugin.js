// For Nitro 3.

import options from '#freshet-options';
import { fieldsOf } from './say.js';

export default (app) => {
  app.hooks.hook('response', (res, { req }) => {
    try {
      const request = { method: req.method, cookie: req.headers.get('cookie'), authorization: req.headers.get('authorization') };
      const response = { status: res.status, get: (name) => res.headers.get(name) };
      const path = new URL(req.url).pathname;
      const policy = req.context?.routeRules?.freshet?.options;
      for (const [name, value] of fieldsOf(policy, { request, response, path, tags: req.context?.freshetTags, personal: options.personal })) {
        if (value === null) res.headers.delete(name);
        else res.headers.set(name, value);
      }
    } catch (error) {
      console.error('freshet:', error); // Nitro would say nothing
    }
  });
};
