// The pages for the person who edits: a list, a form, and what became of the webhooks. Plain HTML, no script.

import { MODEL } from './store.mjs';

/** Marks text that is HTML already. */
class Html {
  constructor(text) {
    this.text = text;
  }
}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (value) => String(value).replace(/[&<>"']/g, (character) => ESCAPES[character]);

/** A template whose values are escaped unless they are Html themselves; lists are joined, null and false vanish. */
function html(parts, ...values) {
  const render = (value) => {
    if (value === null || value === undefined || value === false) return '';
    if (Array.isArray(value)) return value.map(render).join('');
    return value instanceof Html ? value.text : escape(value);
  };
  return new Html(parts.reduce((text, part, i) => text + render(values[i - 1]) + part));
}

const STYLE = `
  :root { color-scheme: light dark; --line: light-dark(#d9d4ca, #3b3a37); --soft: light-dark(#6b6558, #a8a294);
    --paper: light-dark(#fbfaf7, #1c1b19); --card: light-dark(#fff, #262522); --ink: light-dark(#25231e, #eceae4);
    --accent: light-dark(#1f5f8b, #7fb8e0); --bad: light-dark(#a3282c, #ef8a8d); --good: light-dark(#2c6e3f, #86c99a); }
  * { box-sizing: border-box; }
  body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--ink); }
  header { border-bottom: 1px solid var(--line); background: var(--card); }
  header > div, main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem; }
  header a { font-weight: 650; text-decoration: none; color: inherit; }
  header span { color: var(--soft); margin-left: .75rem; }
  h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
  a { color: var(--accent); }
  table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); }
  td, th { padding: .5rem .75rem; text-align: left; border-top: 1px solid var(--line); vertical-align: top; }
  th { font-size: .8rem; color: var(--soft); font-weight: 600; }
  td { overflow-wrap: break-word; } td:last-child, td.wide { white-space: nowrap; }
  @media (max-width: 40rem) { .wide { display: none; } td, th { padding: .5rem; } main { padding: 1rem; } }
  .bar { display: flex; justify-content: space-between; align-items: baseline; }
  .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
  .notice { border: 1px solid var(--line); border-left: 4px solid var(--good); padding: .6rem .9rem; background: var(--card); }
  .notice.bad { border-left-color: var(--bad); color: inherit; }
  label { display: block; margin-top: 1rem; font-weight: 600; }
  input, select, textarea { width: 100%; font: inherit; padding: .45rem .6rem; margin-top: .25rem; color: inherit;
    background: var(--card); border: 1px solid var(--line); border-radius: 4px; }
  textarea { min-height: 9rem; }
  button { font: inherit; padding: .5rem 1.1rem; border-radius: 4px; border: 1px solid var(--accent); cursor: pointer;
    background: var(--accent); color: var(--paper); }
  button.plain { background: transparent; color: var(--bad); border-color: var(--line); }
  .actions { display: flex; justify-content: space-between; margin-top: 1.5rem; }`;

function page(title, content, refresh = false) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
${refresh && html`<meta http-equiv="refresh" content="1">`}
<title>${title} · Bookshelf CMS</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><div><a href="/">Bookshelf CMS</a><span>stands in for Contentful</span></div></header>
<main>
${content}
</main>
</body>
</html>
`.text;
}

/** `site` is where the books are shown; null when nobody knows. */
export function listPage({ store, deliveries, notice, site }) {
  const authors = new Map(store.all('author').map((author) => [author.id, author.fields.name]));
  const books = store.all('book').sort((a, b) => a.fields.title.localeCompare(b.fields.title, 'en'));
  const pending = deliveries.some((delivery) => delivery.state === 'pending');
  const content = html`
${notice && html`<p class="notice" role="status">${notice}</p>`}
${site && html`<p><a href="${site}/">See the site</a></p>`}
<div class="bar"><h1>Books</h1><a href="/new/book">New book</a></div>
<table>
<thead><tr><th>Title</th><th>Author</th><th class="wide">Year</th><th class="wide">Published</th><th></th></tr></thead>
<tbody>${books.map(
    (book) => html`
<tr><td><a href="/edit/book/${book.id}">${book.fields.title}</a></td><td>${authors.get(book.fields.author)}</td>
<td class="wide">${book.fields.year}</td><td class="soft wide">${stamp(book.publishedAt)}, version ${book.version}</td>
<td>${site && html`<a href="${site}/books/${book.fields.slug}">see it</a>`}</td></tr>`,
  )}
</tbody></table>
<div class="bar"><h2>Authors</h2><a href="/new/author">New author</a></div>
<table><tbody>${[...authors].map(([id, name]) => html`<tr><td><a href="/edit/author/${id}">${name}</a></td></tr>`)}
</tbody></table>
<h2>Webhooks</h2>
${deliveries.length === 0 && html`<p class="soft">None yet: publishing an entry sends one.</p>`}
${
  deliveries.length > 0 &&
  html`<table id="webhooks"><tbody>${deliveries.map(deliveryRow)}
</tbody></table>`
}`;
  return page('Books', content, pending);
}

function deliveryRow({ about, topic, state, tries, last, at, purged }) {
  const tone = state === 'delivered' ? 'good' : state === 'pending' ? 'soft' : 'bad';
  return html`
<tr><td>${about}</td><td class="soft wide">${topic.split('.').at(-1)}</td>
<td class="${tone}">${state}, ${tries === 1 ? '1 try' : `${tries} tries`}</td><td class="soft">${last}${purged && html`; purged ${purged.join(', ')}`}</td>
<td class="soft wide">${stamp(at)}</td></tr>`;
}

/** `entry` is null for a new one; `values` are what the fields show, `problem` why they were not taken. */
export function formPage({ store, type, entry, values, problem }) {
  const title = entry ? (entry.fields.title ?? entry.fields.name) : `New ${type}`;
  const fields = Object.entries(MODEL[type]).map(
    ([name, field]) => html`
<label for="${name}">${field.label}</label>
${control(store, name, field, values[name] ?? '')}`,
  );
  const content = html`
${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
<h1>${title}</h1>
<form method="post" action="${entry ? `/edit/${type}/${entry.id}` : `/new/${type}`}">
${fields}
<div class="actions"><button name="action" value="publish">Publish</button>
${entry && html`<button class="plain" name="action" value="delete" formnovalidate>Delete</button>`}</div>
</form>`;
  return page(title, content);
}

function control(store, name, field, value) {
  const required = field.required && new Html(' required');
  if (field.kind === 'link') {
    const options = store
      .all(field.to)
      .map(
        ({ id, fields }) =>
          html`<option value="${id}"${id === value && new Html(' selected')}>${fields.title ?? fields.name}</option>`,
      );
    return html`<select id="${name}" name="${name}"${required}>${options}</select>`;
  }
  if (field.kind === 'long')
    return html`<textarea id="${name}" name="${name}" maxlength="${field.max}">${value}</textarea>`;
  if (field.kind === 'number') {
    return html`<input id="${name}" name="${name}" type="number" min="${field.min}" max="${field.max}" value="${value}"${required}>`;
  }
  return html`<input id="${name}" name="${name}" maxlength="${field.max}" value="${value}"${required}>`;
}

export const messagePage = (title, text) =>
  page(title, html`<h1>${title}</h1><p>${text}</p><p><a href="/">All books</a></p>`);

const stamp = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
