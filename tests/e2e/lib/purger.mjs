// A site's own code in a process of its own: calls purgeCache() of @netlify/functions with the options given as JSON and
// prints what became of it.

import { purgeCache } from '@netlify/functions';

try {
  await purgeCache(JSON.parse(process.argv[2]));
  console.log(JSON.stringify({ purged: true }));
} catch (error) {
  console.log(JSON.stringify({ purged: false, reason: error.message }));
}
