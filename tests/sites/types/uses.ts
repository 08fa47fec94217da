// Uses of all packages, as an app in TypeScript has them: tests/sites/types.test.mjs has them checked.
import { purge, createClient, FreshetError, type PurgeAnswer } from '@freshet/client';
import { fieldsFor } from '@freshet/client/fields';
import freshetAstro from '@freshet/astro';
import { defineConfig } from 'astro/config';
import { withFreshet } from '@freshet/next';
import { purge as nextPurge } from '@freshet/next/purge';
import type { NextConfig } from 'next';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { cache as ce } from '@freshet/server/express';
import { cache as cf } from '@freshet/server/fastify';
import { cache as ch } from '@freshet/server/hono';
import { freshet as kit, addTags as kitTags, pathTag } from '@freshet/sveltekit';
import type { Handle } from '@sveltejs/kit/hooks';
import nuxt from '@freshet/nuxt';
import { freshet as nitro } from '@freshet/nuxt/nitro';
import { purge as np } from '@freshet/nuxt/purge';
import { addTags } from '@freshet/nuxt/tags';

const answer: PurgeAnswer = await purge({ tags: ['a'], soft: true });
createClient({ admin: 'x' }).purge({ urls: 'x' }).catch((e: FreshetError) => e.answered);
fieldsFor({ ttl: 1 }, { method: 'GET' }, { status: 200, get: () => undefined });
// @ts-expect-error a misspelt name
await purge({ tag: 'a' });
defineConfig({ integrations: [freshetAstro({ personal: ['a'] })] });
// @ts-expect-error no secrets
freshetAstro({ token: 'x' });
const config: NextConfig = { basePath: '/b' };
withFreshet(config); withFreshet(() => config);
await nextPurge({ tags: 'a', paths: ['/'] });
const app = express();
app.get('/:id', ce({ ttl: 1, tags: (req) => [req.params.id] }), (req, res) => { res.send('x'); });
const f = Fastify();
f.get<{ Params: { id: string } }>('/:id', { onSend: cf({ ttl: 1, tags: (r) => [(r.params as any).id] }) }, async () => 'x');
f.addHook('onSend', cf({ ttl: 1 }));
new Hono().get('/:id', ch({ ttl: 1, tags: (c) => [c.req.param('id')!] }), (c) => c.text('x'));
export const handle: Handle = kit({ routes: { '/a': { ttl: 1, tags: (e) => [e.url.pathname] } }, personal: ['s'] });
kitTags({ locals: {} as any }, 'a', ['b']); pathTag('/');
void nuxt; nitro({ personal: [] });
await np({ tags: 'a', paths: '/x' }); addTags(undefined, 'a');
