// The entries of the CMS and the webhooks that it still owes, in one JSON file. The file is replaced as a whole by
// rename, so that a crash leaves the old or the new state, and a publish and its webhook are written together: what was
// published is announced, also after a restart.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';

export const LOCALE = 'en-US';

/** The content model: what an entry of each type holds, in the order of the form. */
export const MODEL = {
  book: {
    title: { label: 'Title', kind: 'text', required: true, max: 200 },
    slug: { label: 'Slug', kind: 'slug', required: true, max: 80 },
    author: { label: 'Author', kind: 'link', to: 'author', required: true },
    year: { label: 'Year', kind: 'number', min: -3000, max: 3000, required: true },
    pages: { label: 'Pages', kind: 'number', min: 1, max: 100000 },
    description: { label: 'Description', kind: 'long', max: 5000 },
  },
  author: {
    name: { label: 'Name', kind: 'text', required: true, max: 200 },
    slug: { label: 'Slug', kind: 'slug', required: true, max: 80 },
    born: { label: 'Born', kind: 'number', min: -3000, max: 3000 },
    died: { label: 'Died', kind: 'number', min: -3000, max: 3000 },
    bio: { label: 'About', kind: 'long', max: 5000 },
  },
};

const MAX_ENTRIES = 5000;

/** What a person entered wrong; the message is for the form. */
export class EntryError extends Error {}

export class Store {
  /** Opens `file`, or begins it with the entries of `seedFile`. */
  constructor(file, seedFile) {
    this.file = file;
    let text;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    if (text !== undefined) {
      try {
        this.state = JSON.parse(text);
      } catch {
        throw new Error(
          `${file} is not JSON: mend it, or remove it to begin again with the books of the seed`,
        );
      }
      return;
    }
    const now = new Date().toISOString();
    this.state = { entries: {}, owed: [] };
    for (const { id, type, fields } of JSON.parse(readFileSync(seedFile, 'utf8'))) {
      this.state.entries[id] = {
        id,
        type,
        fields,
        version: 1,
        createdAt: now,
        firstPublishedAt: now,
        publishedAt: now,
      };
    }
    this.save();
  }

  save() {
    mkdirSync(dirname(this.file), { recursive: true });
    const next = `${this.file}.next`;
    writeFileSync(next, JSON.stringify(this.state, null, 1));
    renameSync(next, this.file);
  }

  all(type) {
    return Object.values(this.state.entries).filter((entry) => entry.type === type);
  }

  get(type, id) {
    const entry = Object.hasOwn(this.state.entries, id) ? this.state.entries[id] : null;
    return entry?.type === type ? entry : null;
  }

  get owed() {
    return this.state.owed;
  }

  /** Saves and publishes; `id` null makes a new entry. `announce(entry)` gives the webhook that is now owed. */
  publish(type, id, values, announce) {
    const fields = this.check(type, id, values);
    const now = new Date().toISOString();
    const before = id === null ? null : this.get(type, id);
    if (id !== null && !before) throw new EntryError('This entry no longer exists.');
    if (!before && Object.keys(this.state.entries).length >= MAX_ENTRIES)
      throw new EntryError('The shelf is full.');
    const entry = {
      id: before?.id ?? randomBytes(11).toString('hex'),
      type,
      fields,
      version: (before?.version ?? 0) + 1,
      createdAt: before?.createdAt ?? now,
      firstPublishedAt: before?.firstPublishedAt ?? now,
      publishedAt: now,
    };
    this.state.entries[entry.id] = entry;
    this.state.owed.push(announce(entry));
    this.save();
    return entry;
  }

  unpublish(type, id, announce) {
    const entry = this.get(type, id);
    if (!entry) throw new EntryError('This entry no longer exists.');
    const users = this.all('book').filter((book) => book.fields.author === id);
    if (users.length > 0)
      throw new EntryError(`${users.length} of the books are still by this author: delete those first.`);
    delete this.state.entries[id];
    this.state.owed.push(announce(entry));
    this.save();
    return entry;
  }

  /** The webhook `id` was delivered, or given up. */
  settle(id) {
    this.state.owed = this.state.owed.filter((webhook) => webhook.id !== id);
    this.save();
  }

  check(type, id, values) {
    const fields = {};
    for (const [name, field] of Object.entries(MODEL[type])) {
      const text = (values[name] ?? '').trim().replaceAll('\r\n', '\n');
      if (text === '') {
        if (field.required) throw new EntryError(`${field.label} is missing.`);
        continue;
      }
      fields[name] = this.checkField(field, text);
    }
    const twin = this.all(type).find((entry) => entry.fields.slug === fields.slug && entry.id !== id);
    if (twin) throw new EntryError(`The slug “${fields.slug}” is taken.`);
    return fields;
  }

  checkField(field, text) {
    if (field.kind === 'number') {
      const number = /^-?\d{1,6}$/.test(text) ? Number(text) : NaN;
      if (!(number >= field.min && number <= field.max)) {
        throw new EntryError(`${field.label} must be a whole number from ${field.min} to ${field.max}.`);
      }
      return number;
    }
    if (field.kind === 'link') {
      if (!this.get(field.to, text)) throw new EntryError(`${field.label} is unknown.`);
      return text;
    }
    if (text.length > field.max)
      throw new EntryError(`${field.label} is longer than ${field.max} characters.`);
    if (field.kind === 'slug' && !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(text)) {
      throw new EntryError('A slug is made of small letters, digits and single hyphens.');
    }
    return text;
  }
}
