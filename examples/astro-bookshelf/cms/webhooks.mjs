// Delivers the webhooks that the store owes, each until it is answered with 2xx, a refusal that will not change, or too
// many tries. A webhook that is lost is a page that stays old for a year, so what is owed survives a restart.

import { randomBytes } from 'node:crypto';
import { LOCALE, MODEL } from './store.mjs';

const TRIES = 10;
const TIMEOUT_MS = 10_000;
const LONGEST_WAIT_MS = 60_000;
const REMEMBERED = 50;
const MOST_ANSWER = 16 * 1024;
const SHOWN_TAGS = 20;

const link = (linkType, id) => ({ sys: { type: 'Link', linkType, id } });

/** The webhook for `topic` ("publish" or "unpublish") of `entry`, in the form in which Contentful sends it. */
export function webhookFor(topic, entry, spaceId, environmentId) {
  const common = {
    id: entry.id,
    space: link('Space', spaceId),
    environment: link('Environment', environmentId),
    contentType: link('ContentType', entry.type),
    revision: entry.version,
    createdAt: entry.createdAt,
  };
  const now = new Date().toISOString();
  const body =
    topic === 'publish'
      ? {
          metadata: { tags: [] },
          sys: { type: 'Entry', ...common, updatedAt: entry.publishedAt },
          fields: localized(entry),
        }
      : { sys: { type: 'DeletedEntry', ...common, updatedAt: now, deletedAt: now } };
  return {
    id: randomBytes(8).toString('hex'),
    topic: `ContentManagement.Entry.${topic}`,
    about: titleOf(entry),
    body,
  };
}

function localized(entry) {
  const fields = {};
  for (const [name, value] of Object.entries(entry.fields)) {
    fields[name] = { [LOCALE]: MODEL[entry.type][name].kind === 'link' ? link('Entry', value) : value };
  }
  return fields;
}

const titleOf = (entry) => entry.fields.title ?? entry.fields.name;

/** The tags that a site names in its answer; undefined when it names none. An answer may be anything. */
async function purgedOf(response) {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const part of response.body ?? []) {
      text += decoder.decode(part, { stream: true });
      if (text.length > MOST_ANSWER) return undefined;
    }
    const { purged } = JSON.parse(text);
    if (Array.isArray(purged) && purged.length > 0 && purged.every((tag) => typeof tag === 'string')) return purged.slice(0, SHOWN_TAGS);
  } catch {}
  return undefined;
}

export class Courier {
  /** `retryMs` is the wait before the second try; it doubles with each further one. */
  constructor({ store, url, secret, retryMs = 1000, log }) {
    Object.assign(this, { store, url, secret, retryMs, log });
    this.deliveries = [];
    this.timers = new Set();
  }

  /** Takes up what the store still owes: at start, and after each publish. */
  deliverOwed() {
    for (const webhook of this.store.owed) {
      if (this.deliveries.some((delivery) => delivery.id === webhook.id)) continue;
      const { id, topic, about } = webhook;
      const delivery = {
        id,
        topic,
        about,
        at: new Date().toISOString(),
        tries: 0,
        state: 'pending',
        last: '',
      };
      this.deliveries.unshift(delivery);
      this.attempt(webhook, delivery);
    }
    const settled = this.deliveries.filter((delivery) => delivery.state !== 'pending').slice(REMEMBERED);
    if (settled.length > 0)
      this.deliveries = this.deliveries.filter((delivery) => !settled.includes(delivery));
  }

  async attempt(webhook, delivery) {
    delivery.tries++;
    let status = 0;
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/vnd.contentful.management.v1+json',
          'X-Contentful-Topic': webhook.topic,
          'X-Contentful-Webhook-Name': 'bookshelf',
          'X-Webhook-Secret': this.secret,
        },
        body: JSON.stringify(webhook.body),
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      status = response.status;
      delivery.last = `answered ${status}`;
      delivery.purged = await purgedOf(response);
    } catch (error) {
      delivery.last = `no answer: ${error.cause?.code ?? error.cause?.message ?? error.name}`;
    }
    if (status >= 200 && status < 300) return this.settle(webhook, delivery, 'delivered');
    const mayChange = status === 0 || status === 408 || status === 429 || status >= 500;
    if (!mayChange) return this.settle(webhook, delivery, 'refused');
    if (delivery.tries >= TRIES) return this.settle(webhook, delivery, 'given up');

    const wait = Math.min(this.retryMs * 2 ** (delivery.tries - 1), LONGEST_WAIT_MS);
    this.log(`webhook for “${delivery.about}”: ${delivery.last}; try ${delivery.tries + 1} in ${wait} ms`);
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.attempt(webhook, delivery);
    }, wait);
    this.timers.add(timer);
  }

  settle(webhook, delivery, state) {
    delivery.state = state;
    this.store.settle(webhook.id);
    const times = delivery.tries === 1 ? '1 try' : `${delivery.tries} tries`;
    this.log(`webhook for “${delivery.about}”: ${state} (${delivery.last}, ${times})`);
  }

  stop() {
    for (const timer of this.timers) clearTimeout(timer);
  }
}
