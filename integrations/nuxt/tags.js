// Tags of the page that is being made. This goes into browsers, too.

import { tagList } from '@freshet/client/fields';

/** Adds tags to the page that is being made. In a browser, where there is no event, it does nothing. */
export function addTags(event, ...tags) {
  if (!event) return;
  tagList(...tags);
  event.context.freshetTags = [...(event.context.freshetTags ?? []), ...tags.flat()];
}

/** The tag that each page has by itself, with its data. */
export function pathTag(path) {
  return `path:${(path.replace(/\/_payload\.json$/, '').replace(/\/+$/, '') || '/').replaceAll(',', '%2C')}`;
}
